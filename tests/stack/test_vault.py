"""The Vault of the stack: a real server with the configuration that ships, and everything in it that the folder declares."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from gitops_agent.target import Site, Target
from tests.conformance.converge import converge
from tests.conformance.subject import KEY, build
from tests.stack import rendered
from tests.stack.vault_server import StackVault

_SERVERS = [pytest.param("bao", marks=pytest.mark.server)]
if "VAULT_LIVE_BIN" in os.environ:
    _SERVERS.append(pytest.param("vault-live", marks=pytest.mark.live))


@pytest.fixture(scope="module", params=_SERVERS)
def vault(
    request: pytest.FixtureRequest,
    binary: Callable[[str], str],
    free_port: Callable[[], int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[StackVault]:
    """With everything in it that the folder declares."""
    # Nomad is not here, and is asked for its keys when workload identities are configured.
    running = StackVault(binary(request.param), tmp_path_factory.mktemp("vault"), free_port, nomad_workload_identity=False)
    target = _target(running, running.root, tmp_path_factory.mktemp("site"))
    converge(target, running.files, secrets=rendered.Secrets())
    target.close()
    yield running
    running.stop()


def _target(server: StackVault, token: str, directory: Path) -> Target:
    (directory / "token").write_text(token)
    settings = {"address": server.url, "token_file": str(directory / "token"), "secrets": ["file:*"]}
    settings["token_directory"] = str(server.secrets)
    return build("vault", settings, Site("test", directory, KEY))


def _token(server: StackVault, policy: str) -> str:
    made = server.call("POST", "auth/token/create", {"policies": [policy], "no_parent": True, "period": "24h"})
    return str(made["auth"]["client_token"])


def test_the_agent_finds_nothing_to_do_and_may_see_that(vault: StackVault, tmp_path: Path) -> None:
    """A second look writes nothing. With the policy that the folder itself declares for the agent, and no other; it lacks what was
    noted in the first agent's directory, so what cannot be read is taken from the record in Vault."""
    target = _target(vault, _token(vault, "gitops-agent"), tmp_path)
    assert not converge(target, vault.files, secrets=rendered.Secrets())
    target.close()


def test_the_agent_may_change_what_the_folder_holds(vault: StackVault, tmp_path: Path) -> None:
    target = _target(vault, _token(vault, "gitops-agent"), tmp_path)
    changed = {path: content.replace(b"ttl: 1h", b"ttl: 2h") for path, content in vault.files.items()}
    changed["policies/prometheus.hcl"] += b'path "sys/health" { capabilities = ["read"] }\n'
    assert converge(target, changed, secrets=rendered.Secrets())
    assert "sys/health" in vault.call("GET", "sys/policies/acl/prometheus")["data"]["policy"]
    converge(target, vault.files, applied=changed, secrets=rendered.Secrets())
    target.close()


def test_the_agent_keeps_the_tokens_of_programs(vault: StackVault, tmp_path: Path) -> None:
    """With the rights that the folder gives it: as bootstrap left them, and after one was lost."""
    target = _target(vault, _token(vault, "gitops-agent"), tmp_path)
    kept = vault.secrets / "prometheus-vault-token"
    first = kept.read_text().strip()
    assert first == rendered.value("file:prometheus-vault-token"), "what programs were started with"
    vault.call("POST", "auth/token/revoke", {"token": first})
    converge(target, vault.files, secrets=rendered.Secrets())
    assert kept.read_text().strip() != first
    found = vault.call("GET", "auth/token/lookup-self", token=kept.read_text().strip())["data"]
    assert (found["policies"], found["orphan"]) == (["default", "prometheus"], True)
    converge(target, vault.files, secrets=rendered.Secrets())
    assert not converge(target, vault.files, secrets=rendered.Secrets())
    target.close()


def test_prometheus_reads_metrics_and_nothing_else(vault: StackVault) -> None:
    token = _token(vault, "prometheus")
    address, bearer = f"{vault.url}/v1/sys/metrics?format=prometheus", {"Authorization": f"Bearer {token}"}
    assert "vault_core_unsealed" in requests.get(address, headers=bearer, timeout=10).text
    assert requests.get(address, timeout=10).status_code == 403
    for path in ("kv/data/test/example-server", "sys/policies/acl", "sys/mounts"):
        with pytest.raises(AssertionError, match="403"):
            vault.call("GET", path, token=token)


def test_the_example_job_reads_its_own_secret_only(vault: StackVault) -> None:
    token = _token(vault, "example-server")
    said = vault.call("GET", "kv/data/test/example-server", token=token)["data"]["data"]
    assert said["greeting"] == "Hello from Vault"
    assert len(said["api_key"]) == 32
    with pytest.raises(AssertionError, match="403"):
        vault.call("GET", "kv/data/test/another", token=token)


def test_every_request_is_told_to_the_audit_without_its_secrets(vault: StackVault) -> None:
    said = vault.call("GET", "kv/data/test/example-server")["data"]["data"]
    assert '"path":"kv/data/test/example-server"' in vault.said
    assert said["api_key"] not in vault.said
