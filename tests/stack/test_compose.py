"""The Compose file as real Compose understands it: order, health, limits, secrets, and what is mounted from where."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_agent.errors import InvalidRevision
from gitops_agent.target import Site
from gitops_agent.targets.compose import TARGET
from tests.conformance.subject import KEY
from tests.stack.rendered import folder, tree, write

pytestmark = pytest.mark.server

SERVICES = {
    *("nginx", "consul-template", "consul", "vault", "nomad-server", "postgres", "gitea", "concourse-web", "concourse-worker"),
    *("pgadmin", "prometheus", "grafana", "loki", "promtail"),
}
_DEFAULT_PASSWORD = re.compile(r"PASSWORD\W*[:=]\s*\S")
_BASH = "exec 3<>/dev/tcp/127.0.0.1/9080"


def understood(directory: Path, overlay: str = "", folder_name: str = "compose") -> dict[str, Any]:
    """`docker compose config`, which refuses what it does not know."""
    written = write(folder(folder_name, overlay), directory)
    command = ["docker", "compose", "--project-directory", str(written), "config", "--format", "json"]
    done = subprocess.run(command, cwd=written, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "level=warning" not in done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return understood(tmp_path_factory.mktemp("compose"))


@pytest.fixture(scope="module")
def services(project: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return dict(project["services"])


def test_the_services_of_the_architecture(project: dict[str, Any]) -> None:
    assert (project["name"], set(project["services"])) == ("mini-cloud", SERVICES)


def test_starts_in_the_order_of_the_architecture(services: dict[str, dict[str, Any]]) -> None:
    started, healthy = "service_started", "service_healthy"
    order = {
        name: {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    nginx = order.pop("nginx")
    assert {name: others for name, others in order.items() if others} == {
        "consul-template": {"consul": healthy},
        "vault": {"consul": healthy},
        "nomad-server": {"consul": healthy, "vault": started},
        "gitea": {"postgres": healthy},
        "concourse-web": {"postgres": healthy},
        "pgadmin": {"postgres": healthy},
        "concourse-worker": {"concourse-web": started},
        "prometheus": {"consul": healthy},
        "grafana": {"prometheus": started, "loki": started},
        "promtail": {"loki": started},
    }
    assert set(nginx) == {"gitea", "vault", "concourse-web", "pgadmin", "consul", "nomad-server", "prometheus", "grafana"}
    assert set(nginx.values()) == {started}
    assert not any(how["required"] for how in services["nginx"]["depends_on"].values())


def test_health_is_asked_of_all_that_can_be_asked(services: dict[str, dict[str, Any]]) -> None:
    """Failure mode: a check that the image has no program for. Loki's has none at all, Prometheus' needs no shell."""
    assert {name for name, service in services.items() if "healthcheck" not in service} == {"loki"}
    assert services["prometheus"]["healthcheck"]["test"][:2] == ["CMD", "wget"]
    assert services["postgres"]["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]
    assert services["promtail"]["healthcheck"]["test"] == ["CMD", "bash", "-c", _BASH]


def test_nobody_takes_all_of_the_host(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        assert int(service["mem_limit"]) <= 4 << 30
        assert 0 < service["cpus"] <= 2
        assert service["pids_limit"] > 0
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
        assert service["restart"] == "unless-stopped"


def test_data_is_in_named_volumes_and_configuration_cannot_be_written(services: dict[str, dict[str, Any]]) -> None:
    written = {
        (name, volume["source"])
        for name, service in services.items()
        for volume in service.get("volumes", [])
        if volume["type"] == "bind" and not volume.get("read_only")
    }
    assert written == {("consul-template", "/srv/mini-cloud/upstreams")}
    for name in ("consul", "vault", "postgres", "gitea", "pgadmin", "prometheus", "grafana", "loki", "promtail"):
        assert [volume["source"] for volume in services[name]["volumes"] if volume["type"] == "volume"] == [f"{name}-data"]


def test_every_folder_that_is_mounted_is_one_that_is_published(services: dict[str, dict[str, Any]]) -> None:
    """At the same path on both sides, and never `current`, which Docker would follow once."""
    agent = tree()["agent/agent.toml"].decode()
    published = set(re.findall(r'^directory = "(/srv/mini-cloud/[^"]+)"$', agent, re.MULTILINE)) | {"/srv/mini-cloud/upstreams"}
    for service in services.values():
        for volume in service.get("volumes", []):
            if volume["source"].startswith("/srv/mini-cloud"):
                assert volume["source"] == volume["target"]
                assert volume["source"] in published


def test_what_is_in_a_program_comes_before_the_containers_that_need_it() -> None:
    """A rotated password: the role has it before its programs are started with it, so that one run is enough."""
    (environment,) = tomllib.loads(tree()["agent/agent.toml"].decode())["environments"].values()
    names = [target["name"] for target in environment["targets"]]
    assert names.index("postgres") < names.index("compose") < names.index("consul") < names.index("nomad")


def test_concourse_s_worker_forgets_the_socket_of_its_last_containerd(services: dict[str, dict[str, Any]]) -> None:
    """Seen on Concourse 8.2.5: it is dialled before the new containerd listens, and the worker ends, for ever."""
    assert services["concourse-worker"]["tmpfs"] == ["/run/containerd"]


def test_pgadmin_lets_an_owner_in_whose_domain_is_nobody_else_s() -> None:
    """Seen on pgAdmin 9.8: an address in `.test` is none, unless its domain is named; a setting is a line of Python."""
    services = yaml.safe_load(tree(overlay="owner: {name: ann, email: ann@home.test}")["compose/compose.yaml"])["services"]
    named = services["pgadmin"]["environment"]["PGADMIN_CONFIG_ALLOW_SPECIAL_EMAIL_DOMAINS"]
    assert ast.literal_eval(named) == ["test", "home.test"]


def test_the_shell_of_pgadmins_image_hands_its_settings_on_as_they_are(services: dict[str, dict[str, Any]]) -> None:
    """The official entry point expands them unquoted: into the text of a program, and into a file."""
    environment = {name: str(value) for name, value in services["pgadmin"]["environment"].items() if "_CONFIG_" in name}
    assert len(environment) == 2
    for name, value in environment.items():
        program = f'python3 -c "print(type("${{{name}}}").__name__)"' if name.endswith("_URI") else "echo str"
        said = subprocess.run(
            ["sh", "-c", f'{program}; echo {name} = $(eval "echo \\${name}")'],
            env={"PATH": os.environ["PATH"], name: value.replace("open('/run/secrets/pgadmin-database').read()", "'secret'")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        written = {}
        exec(said[1], written)  # as pgAdmin does it
        assert said[0] == "str"
        expected = "postgresql://pgadmin:secret@postgres:5432/pgadmin" if name.endswith("_URI") else ["test", "example.test"]
        assert written[name] == expected


def test_only_the_edge_and_nomad_are_published(services: dict[str, dict[str, Any]]) -> None:
    ports = {name: {port["published"] for port in service.get("ports", [])} for name, service in services.items()}
    assert {name: found for name, found in ports.items() if found} == {"nginx": {"80", "443", "2222"}, "nomad-server": {"4647"}}


def test_no_password_is_in_a_definition(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        for name, value in (service.get("environment") or {}).items():
            assert "PASSW" not in name or str(value).startswith("/run/secrets/"), name
            assert not _DEFAULT_PASSWORD.search(str(value)) or "/run/secrets/" in str(value), name


def test_what_a_container_is_given_it_also_reads(services: dict[str, dict[str, Any]]) -> None:
    files = {path: content.decode(errors="replace") for path, content in tree().items()}
    configuration = {
        "prometheus": files["prometheus/prometheus.yml"],
        "consul-template": files["consul-template/consul-template.hcl"],
    }
    scripts = "".join(text for path, text in files.items() if path.startswith("compose/postgres/"))
    for name, service in services.items():
        text = json.dumps(service) + configuration.get(name, "") + (scripts if name == "postgres" else "")
        for secret in service.get("secrets", []):
            reads = f"/run/secrets/{secret['source']}" in text
            assert reads or (name == "postgres" and "/run/secrets/$name-database" in text), (name, secret["source"])


def test_the_agent_s_own_project_joins_the_stack_s(project: dict[str, Any], tmp_path: Path) -> None:
    own = understood(tmp_path, folder_name="agent")
    assert own["networks"]["default"] == {"name": project["networks"]["default"]["name"], "external": True, "ipam": {}}
    assert own["volumes"]["gitea"]["name"] == project["volumes"]["gitea-data"]["name"]
    mounts = {(volume["source"], volume.get("read_only", False)) for volume in own["services"]["gitops-agent"]["volumes"]}
    assert ("gitea", True) in mounts


@pytest.mark.parametrize("overlay", ["features: {openbao: true}", "publish: {https: 8443}", "previews: false", "hostnames: []"])
def test_other_values(overlay: str, tmp_path: Path) -> None:
    if overlay == "hostnames: []":  # Gitea and others have to know what they are called
        with pytest.raises(InvalidRevision, match="no hostname leads to gitea"):
            understood(tmp_path, overlay)
    else:
        understood(tmp_path, overlay)


def test_the_agent_takes_it() -> None:
    """`x-gitops` is spelt as the kind knows it: Vault, which is sealed when it starts again, is never stopped unasked."""
    settings = TARGET.Settings(kind="compose", name="compose", directory=Path("/srv/mini-cloud/compose"), project="mini-cloud")
    state = TARGET(settings, Site("test", Path("/nonexistent"), KEY)).parse(folder("compose"))
    assert {f"service:{name}" for name in SERVICES} <= {one.name for one in state}
