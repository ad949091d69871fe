"""`unseal_keys_file`: a Vault that was started again is opened by the agent, by nobody else, and only where that was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gitops_agent.errors import Unavailable
from gitops_agent.model import State
from gitops_agent.targets.vault.target import Vault
from tests.conformance.converge import converge
from tests.targets.vault.server import VaultServer

FILES = {"policies/a.hcl": b'path "a" {\n  capabilities = ["read"]\n}\n'}


@pytest.fixture
def sealed(vault: VaultServer) -> Iterator[VaultServer]:
    """As a restart leaves it; others find it open again."""
    vault.seal()
    yield vault
    vault.unseal()


def keys(path: Path, *unseal: str) -> str:
    """As `vault operator init -format=json` prints them, without the root token."""
    path.write_text(json.dumps({"unseal_keys_b64": unseal}))
    return str(path)


def test_it_is_opened_when_the_agent_looks(
    make: Callable[..., Vault], sealed: VaultServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = make(unseal_keys_file=keys(tmp_path / "keys", sealed.key))
    with suppress(Unavailable):  # open, and not active yet: a run tries again
        target.observe(State.of())
    sealed.until_active()
    assert converge(target, FILES)
    assert "a" in sealed.policies()
    assert [record.message for record in caplog.records if "open again" in record.message] == ["vault was sealed and is open again"]
    assert sealed.key not in caplog.text


def test_without_the_file_a_person_unseals(make: Callable[..., Vault], sealed: VaultServer) -> None:
    with pytest.raises(Unavailable, match="vault is sealed: unseal it"):
        make().observe(State.of())
    assert sealed.call("GET", "sys/seal-status")["sealed"]


def test_a_preview_unseals_nothing(make: Callable[..., Vault], sealed: VaultServer, tmp_path: Path) -> None:
    token = tmp_path / "reads"
    token.write_text(sealed.root)
    reader = make(unseal_keys_file=keys(tmp_path / "keys", sealed.key), preview_token_file=str(token)).reader()
    assert reader is not None
    with pytest.raises(Unavailable, match="vault is sealed: unseal it"):
        reader.observe(State.of())
    reader.close()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            '{"unseal_keys_b64": ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]}',
            "vault is sealed, and the keys in .* do not open it",
        ),
        ('{"root_token": "s.only"}', "vault is sealed, and the keys in .* do not open it"),
        ("nonsense", "is not what `vault operator init -format=json` prints"),
    ],
)
def test_a_file_that_does_not_help_is_named(
    make: Callable[..., Vault], sealed: VaultServer, tmp_path: Path, text: str, complaint: str
) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(Unavailable, match=complaint):
        make(unseal_keys_file=str(tmp_path / "keys")).observe(State.of())
    assert sealed.call("GET", "sys/seal-status")["sealed"]
