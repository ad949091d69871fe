"""What the stack keeps inside Nomad, Gitea and Concourse: understood, carried out once, and then left alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from gitops_agent.model import Files
from gitops_agent.target import Site, Target
from tests.conformance.converge import converge
from tests.conformance.subject import KEY, build
from tests.fakes.concourse import PASSWORD, USER, FakeConcourse
from tests.fakes.gitea import FakeGitea
from tests.stack import rendered

_OWNER = "ada"


def _target(kind: str, directory: Path, address: str, **settings: Any) -> Target:
    return build(kind, {"address": address, "secrets": ["file:*"], **settings}, Site("test", directory, KEY))


def _settles(target: Target, files: Files) -> list[str]:
    """The names that a first look brings; a second one brings nothing."""
    changes = converge(target, files, secrets=rendered.Secrets()).changes
    assert not converge(target, files, secrets=rendered.Secrets())
    target.close()
    return sorted(change.name for change in changes)


@pytest.fixture
def gitea() -> Iterator[FakeGitea]:
    with FakeGitea() as fake:
        fake.add_user(_OWNER, "adas-password", admin=True)
        yield fake


@pytest.mark.parametrize("identities", [True, False])
def test_nomad(tmp_path: Path, identities: bool) -> None:
    """Both ways to Vault: with the workload's identity, and the one of up to Nomad 1.9."""
    overlay = f"features: {{nomad_workload_identity: {str(identities).lower()}}}"
    target = _target("nomad", tmp_path, "http://127.0.0.1:1")
    without_workers = target.parse(rendered.folder("nomad", overlay))
    assert "job:example-server" not in without_workers.resources, "nothing could run it"
    files = rendered.folder("nomad", f"{overlay}\nworkers: {{nodes: [192.168.64.15]}}")
    names = {resource.name for resource in target.parse(files)}
    assert names == {"job:example-server", "job:worker-logs", "policy:operator", "policy:read-only"}
    asked = b'role = "example-server"' if identities else b'policies = ["example-server"]'
    assert asked in files["example-server.nomad.hcl"]


def test_what_jobs_say_is_read_from_files_and_from_nothing_else() -> None:
    """Beside them lie the pipes that Nomad itself reads: whoever else does takes lines away."""
    text = rendered.folder("nomad", "workers: {nodes: [192.168.64.15]}")["worker-logs.nomad.hcl"].decode()
    config = yaml.safe_load(text.split("<<-EOT")[1].split("EOT")[0].replace('{{ env "WORKER" }}', "w1"))
    assert config["clients"][0]["url"] == "https://logs.example.test/loki/api/v1/push"
    (scraped,) = config["scrape_configs"]
    (labelled,) = scraped["static_configs"]
    directory = "/allocations/a6c3/alloc/logs"
    there = ["web.nginx.stdout.0", "nginx.stderr.12", ".nginx.stdout.fifo", ".nginx.stderr.fifo"]
    read = [name for name in there if fnmatch(f"{directory}/{name}", labelled["labels"]["__path__"])]
    assert read == there[:2]
    found = re.search(scraped["pipeline_stages"][0]["regex"]["expression"], f"{directory}/{read[0]}")
    assert found
    assert found.groupdict() == {"allocation": "a6c3", "service": "web.nginx", "stream": "stdout"}
    assert "worker-logs.nomad.hcl" not in {
        path for path, content in rendered.folder("nomad", "workers: {nodes: [a]}\nwithout: [loki]").items() if content.strip()
    }


def test_gitea(gitea: FakeGitea, tmp_path: Path) -> None:
    token = requests.post(
        f"{gitea.url}/api/v1/users/{_OWNER}/tokens",
        json={"name": "agent", "scopes": ["all"]},
        auth=(_OWNER, "adas-password"),
        timeout=10,
    ).json()["sha1"]
    (tmp_path / "token").write_text(token)
    files = rendered.folder("gitea", f"owner: {{name: {_OWNER}}}")
    assert _settles(_target("gitea", tmp_path, gitea.url, token_file=str(tmp_path / "token")), files) == [
        "organisation:mini-cloud",
        "protection:mini-cloud/config/main",
        "repository:mini-cloud/config",
        "webhook:mini-cloud/config/gitops-agent",
    ]


def test_gitea_without_a_status_that_must_be_green() -> None:
    assert b"status_check" not in rendered.folder("gitea", "required_statuses: []")["branch-protections.yaml"]


def test_concourse(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    with FakeConcourse() as fake:
        login = {"username": USER, "password_file": str(tmp_path / "password")}
        assert _settles(_target("concourse", tmp_path, fake.url, **login), rendered.folder("concourse")) == ["pipeline:main/config"]


@pytest.mark.parametrize(
    ("features", "missing"),
    [
        (
            {"openbao": True},
            {"engine:consul", "engine:nomad", "path:consul/config/access", "path:nomad/config/access", "audit:stdout"},
        ),
        ({"nomad_workload_identity": False}, {"auth:jwt-nomad", "path:auth/jwt-nomad/config"}),
    ],
)
def test_what_a_program_cannot_do_is_left_out(tmp_path: Path, features: Mapping[str, bool], missing: set[str]) -> None:
    def names(overlay: str) -> set[str]:
        target = _target("vault", tmp_path, "http://127.0.0.1:1", token_directory=str(tmp_path))
        return {resource.name for resource in target.parse(rendered.folder("vault", overlay))}

    said = ", ".join(f"{name}: {str(value).lower()}" for name, value in features.items())
    assert missing <= names("{}")
    assert not missing & names(f"features: {{{said}}}")
