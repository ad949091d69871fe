"""What a Nomad holds beside jobs: namespaces, roles, variables. A fake; with NOMAD_LIVE and NOMAD_TOKEN a real one as well."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_agent.adopt.described import Described
from gitops_agent.adopt.left import Left, Why
from tests.adopt.looking import first_plan, look, plans_of_kept, without_secrets
from tests.canary import Canary
from tests.fakes.nomad import MANAGEMENT, FakeNomad
from tests.targets.nomad.server import NomadServer

_RULES = 'namespace "default" {\n  policy = "read"\n}\n'
_SERVERS: list[Any] = ["fake"]
if "NOMAD_LIVE" in os.environ:
    _SERVERS.append(pytest.param("live", marks=pytest.mark.live))


@pytest.fixture(params=_SERVERS)
def nomad(request: pytest.FixtureRequest) -> Iterator[NomadServer]:
    if request.param == "live":
        server = NomadServer(os.environ["NOMAD_LIVE"], os.environ["NOMAD_TOKEN"])
        server.empty()
        yield server
        server.empty()
    else:
        with FakeNomad() as fake:
            yield NomadServer(fake.url, MANAGEMENT)


@pytest.fixture
def token_file(nomad: NomadServer, tmp_path: Path) -> Path:
    (tmp_path / "token").write_text(nomad.management)
    return tmp_path / "token"


def planned(described: Described, directory: Path) -> dict[str, str]:
    """Without the policies of tokens that tests have drawn on the same Nomad."""
    return {name: action for name, action in first_plan(described, directory).items() if "gitops-agent" not in name}


def namespace(nomad: NomadServer, **more: Any) -> None:
    nomad.call("PUT", "namespace", {"Name": "t-apps", "Description": "what others bring", **more})


def variable(nomad: NomadServer, path: str, where: str = "default", **items: str) -> None:
    nomad.call("PUT", f"var/{path}", {"Path": path, "Namespace": where, "Items": items}, namespace=where)


def test_namespaces_and_roles_as_they_are(nomad: NomadServer, token_file: Path, tmp_path: Path) -> None:
    namespace(nomad, Meta={"owner": "shop"}, Capabilities={"DisabledTaskDrivers": ["java", "exec"]})
    nomad.call("POST", "acl/policy/t-read", {"Name": "t-read", "Rules": _RULES})
    body = {"Name": "t-operator", "Description": "on call", "Policies": [{"Name": "t-read"}]}
    nomad.call("POST", "acl/role", body)
    left = Left()
    found = look("nomad", nomad.url, token_file, left)
    files = found["nomad"].files()
    assert yaml.safe_load(files["namespaces.yaml"]) == {
        "t-apps": {"description": "what others bring", "meta": {"owner": "shop"}, "disabled_task_drivers": ["exec", "java"]}
    }
    assert yaml.safe_load(files["roles.yaml"]) == {"t-operator": {"description": "on call", "policies": ["t-read"]}}
    assert planned(found["nomad"], tmp_path) == dict.fromkeys(("namespace:t-apps", "policy:t-read", "role:t-operator"), "adopt")
    assert left.found == {}


def test_variables_lie_in_the_target_of_their_namespace(
    nomad: NomadServer, token_file: Path, tmp_path: Path, canary: Canary
) -> None:
    namespace(nomad)
    password, token, key = canary.secret(), canary.secret("hunter-two"), canary.secret("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQ\n")
    variable(nomad, "nomad/jobs/web", db_password=password, port="8080", api="http://10.0.0.1:8500", key=key)
    variable(nomad, "nomad/jobs/web", "t-apps", token=token, of="the shop")
    variable(nomad, "gitops-agent/shop/nomad", owned="job:web")
    left = Left()
    found = look("nomad", nomad.url, token_file, left)
    assert [*found] == ["nomad", "nomad-t-apps"], "the target that makes a namespace comes before what lies in it"
    plans = {name: planned(described, tmp_path) for name, described in found.items()}
    assert plans["nomad"] == {"namespace:t-apps": "adopt", "variable:nomad/jobs/web": "adopt"}
    assert plans["nomad-t-apps"] == {"variable:nomad/jobs/web": "adopt"}
    kept = without_secrets(found, left)
    assert kept.secrets == {"web-db-password": password, "web-key": key, "web-token": token}
    assert b'"port": "8080"' in kept.files["nomad/variables.yaml.j2"]
    said = "taken for no secrets, and open in the config repo: "
    attention = {what: why for what, why in left.found[Why.ATTENTION].items() if what.startswith("variable")}
    assert attention == {"variable nomad/jobs/web": f"{said}api, port", "variable nomad/jobs/web in t-apps": f"{said}of"}
    assert {*plans_of_kept(found, kept, tmp_path).values()} == {"adopt"}
    canary.watch(b"".join(kept.files.values()), str(left.to_json()), str(plans))


def test_locks_and_what_no_file_could_hold_without_its_secret_are_left(
    nomad: NomadServer, token_file: Path, tmp_path: Path, canary: Canary
) -> None:
    variable(nomad, "app/odd", password=canary.secret("Str0ng\u00a0and\u0085odd"), port="80")
    variable(nomad, "app/even", port="80")
    lock = {"Path": "app/leader", "Items": {"who": "me"}, "Lock": {"TTL": "60s", "LockDelay": "15s"}}
    held = nomad.call("PUT", "var/app/leader", lock, **{"lock-acquire": "true"})
    left = Left()
    try:
        found = look("nomad", nomad.url, token_file, left)
    finally:
        nomad.call("PUT", "var/app/leader", {"Path": "app/leader", "Lock": held["Lock"]}, **{"lock-release": "true"})
    assert planned(found["nomad"], tmp_path) == {"variable:app/even": "adopt"}
    assert left.found[Why.WRITTEN] == {"variable app/leader": "a lock"}
    assert left.found[Why.SYSTEM] == {
        "variable app/odd": "odd password is a secret that no reference could stand for: keep it by hand"
    }
    canary.watch(str(left.to_json()))


def test_a_lesser_token_sees_jobs_and_variables(nomad: NomadServer, tmp_path: Path) -> None:
    nomad.register(
        nomad.parse('job "t-web" {\n  type = "batch"\n  group "a" {\n    task "a" {\n      driver = "docker"\n    }\n  }\n}\n')
    )
    variable(nomad, "nomad/jobs/t-web", port="80")
    capabilities = '["list-jobs", "read-job", "parse-job", "submit-job"]'
    path = 'path "*" { capabilities = ["list", "read"] }'
    (tmp_path / "token").write_text(
        nomad.token(f'namespace "default" {{\n  capabilities = {capabilities}\n  variables {{\n    {path}\n  }}\n}}\n')
    )
    left = Left()
    found = look("nomad", nomad.url, tmp_path / "token", left)
    assert planned(found["nomad"], tmp_path) == {"variable:nomad/jobs/t-web": "adopt"}
    assert "need a management token" in left.found[Why.ATTENTION]["nomad's namespaces, ACL policies and roles"]
    assert [*left.found[Why.SYSTEM]] == ["job t-web"]
