"""The metric that tells when the agent's own tokens end, on a real Consul and a real OpenBao."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitops_agent import metrics
from gitops_agent.model import Files
from gitops_agent.target import Site
from tests.conformance.subject import KEY, build
from tests.targets.consul.server import ConsulServer
from tests.targets.vault.server import VaultServer

pytestmark = [pytest.mark.server, pytest.mark.slow]


def _left(target: str) -> float | None:
    found = re.search(
        rf'^gitops_agent_token_expiry_timestamp_seconds\{{environment="own",target="{target}",token="agent"\}} (\S+)$',
        metrics.text(),
        re.MULTILINE,
    )
    return None if found is None else float(found[1]) - time.time()


def _observe(kind: str, directory: Path, files: Files, **settings: Any) -> None:
    target = build(kind, settings, Site("own", directory, KEY))
    try:
        target.observe(target.parse(files))
    finally:
        target.close()


def test_when_the_agent_s_consul_token_ends(binary: Callable[[str], str], free_port: Callable[[], int], tmp_path: Path) -> None:
    server = ConsulServer(binary("consul"), tmp_path, free_port)
    try:
        token = tmp_path / "token"
        policy = {"policies/one.hcl": b'key_prefix "a/" {\n  policy = "read"\n}\n'}
        management = {"Policies": [{"Name": "global-management"}]}
        token.write_text(server.call("PUT", "/v1/acl/token", {**management, "ExpirationTTL": "3600s"})["SecretID"])
        _observe("consul", tmp_path, policy, address=server.url, token_file=str(token))
        assert 3500 < (_left("consul") or 0) <= 3600
        token.write_text(server.secret)
        _observe("consul", tmp_path, policy, address=server.url, token_file=str(token))
        assert _left("consul") is None
    finally:
        server.stop()


def test_when_the_agent_s_vault_token_ends(binary: Callable[[str], str], free_port: Callable[[], int], tmp_path: Path) -> None:
    server = VaultServer(binary("bao"), tmp_path, free_port)
    try:
        token = tmp_path / "token"
        token.write_text(server.call("POST", "auth/token/create", {"policies": ["root"], "ttl": "1h"})["auth"]["client_token"])
        policy = {"policies/one.hcl": b'path "a/*" {\n  capabilities = ["read"]\n}\n'}
        _observe("vault", tmp_path, policy, address=server.url, token_file=str(token))
        assert 3500 < (_left("vault") or 0) <= 3600
        token.write_text(server.root)
        _observe("vault", tmp_path, policy, address=server.url, token_file=str(token))
        assert _left("vault") is None
    finally:
        server.stop()
