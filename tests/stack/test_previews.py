"""With `previews` in the values pull requests are planned against what is live, by a role and a user that the stack makes."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
import yaml

from gitops_agent.model import Files, Revision
from gitops_agent.preview.planning import sections
from gitops_agent.preview.request import Section
from gitops_agent.settings.load import read
from gitops_agent.target import Site, Target
from tests.conformance.converge import converge, plan
from tests.conformance.subject import KEY, build
from tests.fakes.concourse import FakeConcourse
from tests.stack import rendered
from tests.stack.vault_server import StackVault
from tests.targets.consul.server import ConsulServer
from tests.targets.postgres.conftest import PASSWORD, ROLE
from tests.targets.postgres.server import PostgresServer

_PREVIEWS = "previews: true"
_WITHOUT_NOMAD = "features: {nomad_workload_identity: false}"
_BASE, _HEAD = Revision("main", "b" * 40), Revision("main", "a" * 40)
_LOGIN = "CONCOURSE_ADD_LOCAL_USER"


def _target(kind: str, place: Path, **settings: Any) -> Target:
    """As agent.toml has it, its secrets in `place`."""
    agent = tomllib.loads(rendered.tree("agent", overlay=_PREVIEWS)["agent/agent.toml"].decode())
    tables = agent["environments"]["test"]["targets"]
    table = {**next(table for table in tables if table["kind"] == kind), **settings}
    table = {name: said for name, said in table.items() if said is not None}
    for name in table.keys() & {"password_file", "token_file", "secret_id_file", "preview_password_file", "preview_token_file"}:
        table[name] = str(place / Path(table[name]).name)
    return build(kind, table, Site("test", place, KEY))


def _section(target: Target, branch: Files, merged: Files) -> Section:
    """What a pull request is told that makes `branch`, which is applied, `merged`."""
    states = {_BASE: {target.name: target.parse(branch)}, _HEAD: {target.name: target.parse(merged)}}
    (section,) = sections([target], KEY, states.__getitem__, _BASE, _HEAD, _BASE)
    return section


def _finds_nothing_to_do(target: Target, files: Files) -> None:
    reader = target.reader()
    assert reader is not None
    assert not plan(reader, files, applied=files, secrets=rendered.Secrets())
    reader.close()
    target.close()


def test_they_are_on_unless_somebody_does_not_wish_them() -> None:
    for overlay, on in (("", True), ("previews: false", False)):
        text = rendered.tree("agent", overlay=overlay)["agent/agent.toml"].decode()
        assert ("preview" in text) == on
        previews = read(text, Path("agent.toml")).environments["test"].previews
        assert (previews is not None and previews.validation is not None) == on
    for without, left in (("gitea", False), ("concourse-web", True)):
        text = rendered.tree("agent", overlay=f"without: [{without}]")["agent/agent.toml"].decode()
        assert ("test.previews]" in text, "test.previews.validation]" in text) == (left, False)


@pytest.mark.server
def test_the_role_looks_at_every_database_and_at_nothing_in_it(
    binary: Callable[[str], str], free_port: Callable[[], int], tmp_path: Path
) -> None:
    server = PostgresServer(binary("initdb"), free_port)
    try:
        server.do(ROLE.read_text(), f"ALTER ROLE gitops_agent PASSWORD '{PASSWORD}'")
        (tmp_path / "gitops-agent-postgres").write_text(PASSWORD)
        password = rendered.value("file:gitops-agent-preview-postgres")
        (tmp_path / "gitops-agent-preview-postgres").write_text(password)
        files = rendered.folder("postgres", _PREVIEWS)
        target = _target("postgres", tmp_path, host="127.0.0.1", port=server.port)
        converge(target, files, secrets=rendered.Secrets())
        _finds_nothing_to_do(target, files)
        server.do("CREATE TABLE looked_at AS SELECT 1 AS one", database="gitea")
        with server.connect("gitea", "gitops_agent_preview", password) as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SELECT one FROM looked_at")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("CREATE TABLE mine ()")
    finally:
        server.stop()


def test_the_user_of_concourse_looks_at_the_pipelines_of_team_main(tmp_path: Path) -> None:
    """Its users as the container's command hands them to Concourse, its roles from the file that is mounted."""
    folder = rendered.folder("compose", _PREVIEWS)
    written = rendered.write(folder, tmp_path)
    web = yaml.safe_load(folder["compose.yaml"])["services"]["concourse-web"]
    assert web["environment"]["CONCOURSE_MAIN_TEAM_CONFIG"] == "/etc/concourse-teams/main.yaml"
    assert web["volumes"] == ["./concourse:/etc/concourse-teams:ro"]
    assert all((written / "secrets" / secret).is_file() for secret in web["secrets"])
    script = web["command"][0].replace("$$", "$").replace("/run/secrets", str(written / "secrets"))
    said = subprocess.run(
        ["/bin/sh", "-ec", script.replace("exec /usr/local/bin/entrypoint.sh web", f'printf %s "${_LOGIN}"')],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    with FakeConcourse() as fake:
        fake.users = dict(login.split(":") for login in said.split(","))
        roles = yaml.safe_load((written / "concourse/main.yaml").read_text())["roles"]
        fake.roles = {(f"local:{user}", "main"): role["name"] for role in roles for user in role["local"]["users"]}
        files = rendered.folder("concourse", _PREVIEWS)
        target = _target("concourse", written / "secrets", address=fake.url)
        converge(target, files, secrets=rendered.Secrets())
        _finds_nothing_to_do(target, files)
        assert fake.roles["local:gitops-agent-preview", "main"] == "viewer"


@pytest.mark.server
def test_consuls_token_looks_at_what_is_there_and_changes_nothing(
    binary: Callable[[str], str], free_port: Callable[[], int], tmp_path: Path
) -> None:
    """Somebody has changed a policy by hand; tokens, whose secrets nobody is shown who may only read, are those of the branch."""
    (tmp_path / "consul").mkdir()
    server = ConsulServer(binary("consul"), tmp_path / "consul", free_port)
    try:
        files = rendered.folder("consul", _WITHOUT_NOMAD)
        for name in ("gitops-agent", "gitops-agent-preview"):
            (tmp_path / f"{name}-consul-token").write_text(rendered.value(f"file:{name}-consul-token"))
        first = _target("consul", tmp_path, address=server.url, token_file=_written(tmp_path / "root", server.secret))
        converge(first, files, secrets=rendered.Secrets())
        first.close()
        target = _target("consul", tmp_path, address=server.url)
        same = _section(target, files, files)
        assert (same.live, same.said, same.text) == (True, "", "")
        policy = server.call("GET", "/v1/acl/policy/name/read-only")
        server.call("PUT", f"/v1/acl/policy/{policy['ID']}", {**policy, "Rules": 'node_prefix "" { policy = "write" }'})
        tokens = files["tokens.yaml"].replace(b"policies: [vault]", b"policies: [vault, read-only]")
        told = _section(target, files, {**files, "tokens.yaml": tokens})
        assert (told.live, told.said) == (True, "")
        assert "policy:read-only" in told.text
        assert "token:vault" in told.text
        assert told.changes == 2
        target.close()
        token = {"X-Consul-Token": rendered.value("file:gitops-agent-preview-consul-token")}
        for path, body in (("/v1/kv/test/a", "b"), ("/v1/acl/policy", '{"Name": "mine"}')):
            assert requests.put(server.url + path, body, headers=token, timeout=10).status_code == 403
        (known,) = (one for one in server.call("GET", "/v1/acl/tokens") if one["Description"] == "vault")
        shown = requests.get(f"{server.url}/v1/acl/token/{known['AccessorID']}", headers=token, timeout=10).json()
        assert shown["SecretID"] == "<hidden>"
    finally:
        server.stop()


@pytest.mark.server
def test_vaults_token_looks_at_what_is_there_and_at_no_entry(
    binary: Callable[[str], str], free_port: Callable[[], int], tmp_path: Path
) -> None:
    """The agent's first run issues it."""
    server = StackVault(binary("bao"), tmp_path, free_port, nomad_workload_identity=False)
    try:
        place = {"address": server.url, "token_directory": str(server.secrets)}
        root = _written(server.secrets / "root", server.root)
        target = _target("vault", server.secrets, **place, token_file=root, role_id=None, secret_id_file=None)
        converge(target, server.files, secrets=rendered.Secrets())
        same = _section(target, server.files, server.files)
        assert (same.live, same.said, same.text) == (True, "", "")
        server.call("PUT", "sys/policies/acl/prometheus", {"policy": 'path "by/hand" { capabilities = ["read"] }'})
        entry = server.files["kv.yaml"].replace(b"Hello from Vault", b"Hello again")
        told = _section(target, server.files, {**server.files, "kv.yaml": entry})
        assert (told.live, told.said) == (True, "")
        assert "policy:prometheus" in told.text
        assert "kv:kv/test/example-server" in told.text
        assert told.changes == 2
        token = (server.secrets / "gitops-agent-preview-vault-token").read_text().strip()
        mine = {"policy": 'path "a" { capabilities = ["read"] }'}
        for method, path, body in (
            ("GET", "kv/data/test/example-server", None),
            ("GET", "consul/creds/operator", None),
            ("POST", "auth/approle/role/gitops-agent/secret-id", {}),
            ("PUT", "sys/policies/acl/mine", mine),
        ):
            with pytest.raises(AssertionError, match="403"):
                server.call(method, path, body, token=token)
        target.close()
    finally:
        server.stop()


def _written(file: Path, content: str) -> str:
    file.write_text(content)
    return str(file)
