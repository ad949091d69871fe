"""Policies that others change, what a target may own, and the page in docs/: its examples are read by the target itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_agent.errors import Conflict, InvalidRevision
from gitops_agent.targets.vault.target import Vault
from tests.conformance.converge import carry_out, converge, plan
from tests.targets.proxy import Proxy
from tests.targets.vault.server import VaultServer

Make = Callable[..., Vault]
PAGE = Path(__file__).parents[3] / "docs/targets/vault.md"


def policies(count: int, capability: str) -> dict[str, bytes]:
    text = f'path "a" {{\n  capabilities = ["{capability}"]\n}}\n'.encode()
    return {f"policies/p{number:03}.hcl": text for number in range(count)}


def test_white_space_at_the_ends_means_nothing(make: Make, vault: VaultServer) -> None:
    """Failure mode 22."""
    files = policies(1, "read")
    converge(make(), files)
    vault.call("PUT", "sys/policies/acl/p000", {"policy": '\r\npath "a" {  \n  capabilities = ["read"]\r\n}'})
    assert not plan(make(), files, applied=files)


def test_calls_are_counted(make: Make, vault: VaultServer, proxy: Proxy) -> None:
    files = policies(20, "read")
    converge(make(), files)
    target = make()
    plan(target, files, applied=files)
    proxy.calls.clear()
    assert not plan(target, files, applied=files)
    expected = 1 + 20 if vault.is_vault else 1
    assert len([call for call in proxy.calls if "/sys/policies/" in call]) == expected
    assert len(proxy.calls) == expected + 2, "the record and who we are"


def test_a_race_is_lost_on_openbao(make: Make, vault: VaultServer) -> None:
    """Vault has no compare-and-set for policies."""
    target = make()
    converge(target, policies(1, "read"))
    what = plan(target, policies(1, "list"), applied=policies(1, "read"))
    vault.call("PUT", "sys/policies/acl/p000", {"policy": 'path "theirs" {\n  capabilities = ["deny"]\n}\n'})
    if vault.is_vault:
        list(carry_out(target, what))
        return
    with pytest.raises(Conflict, match="was changed by somebody else in the meantime"):
        list(carry_out(target, what))
    assert "theirs" in vault.policies()["p000"]


def test_only_what_it_may_own(make: Make, vault: VaultServer) -> None:
    with pytest.raises(
        InvalidRevision, match=r"^policies/p001.hcl: policy:p001 is not among what agent.toml lets this target own$"
    ):
        converge(make(only=["policy:p000", "kv:kv/mini/*"]), policies(2, "read"))
    assert make(only=["policy:shop-*"]).scope() == {f"{make().settings.address} policy:shop-"}


def test_the_examples_of_the_page_are_read(make: Make, tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 5
    files = {name.removesuffix(".j2"): re.sub(r"\{\{.*?\}\}", "text", text).encode() for name, text in blocks}
    assert len(make(token_directory=tmp_path, secrets=["file:*"]).parse(files)) == 14
