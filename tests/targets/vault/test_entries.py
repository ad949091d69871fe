"""KV entries: generated secrets, races, ways back; and the resolver that reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_agent import app, secret
from gitops_agent.errors import Conflict, InvalidRevision, Unavailable
from gitops_agent.model import Files
from gitops_agent.settings import load
from gitops_agent.targets.vault.target import Vault
from tests.conformance.converge import carry_out, converge, plan
from tests.targets.proxy import Proxy
from tests.targets.vault.server import VaultServer

Make = Callable[..., Vault]
SHOP = "kv/conformance/shop"
FILES: Files = {
    "secrets-engines.yaml": b'kv: {type: kv, options: {version: "2"}}\n',
    "kv.yaml": f"{SHOP}:\n  user: shop\n  password: !generate\n  key: !generate {{length: 64, characters: hex}}\n".encode(),
}
WITHOUT: Files = {**FILES, "kv.yaml": b"kv/conformance/other: {a: b}\n"}


def values(vault: VaultServer) -> dict[str, str]:
    entry = vault.entry(SHOP)
    assert entry is not None
    found: dict[str, str] = entry[0]
    return found


def test_generated_once_and_never_shown(make: Make, vault: VaultServer, proxy: Proxy) -> None:
    """The engine is made in the same run."""
    made = converge(make(), FILES)
    first = values(vault)
    assert first["user"] == "shop"
    assert re.fullmatch(r"[A-Za-z0-9]{32}", first["password"])
    assert re.fullmatch(r"[0-9a-f]{64}", first["key"])
    seen = vault.entry(SHOP)
    longer = {**FILES, "kv.yaml": FILES["kv.yaml"].replace(b"64", b"128").replace(b"user: shop", b"user: shopkeeper")}
    second = plan(make(), longer, applied=FILES)
    converge(make(), FILES, applied=FILES)
    assert vault.entry(SHOP) == seen
    converge(make(), longer, applied=FILES)
    assert values(vault) == {**first, "user": "shopkeeper"}
    for text in (made.text(), second.text(), str(second.to_json())):
        assert first["password"] not in text
        assert first["key"] not in text
    assert secret.mask(first["password"]) == "(sensitive)"


def test_taken_out_and_put_in_again_is_the_same_secret(make: Make, vault: VaultServer) -> None:
    """Failure mode 49: its programs still have the old one."""
    converge(make(), FILES)
    first = values(vault)
    converge(make(), WITHOUT, applied=FILES)
    assert vault.entry(SHOP) is None
    converge(make(), FILES, applied=WITHOUT)
    assert values(vault) == first
    assert not plan(make(), FILES, applied=FILES)


def test_one_that_was_taken_away_by_hand_is_made_again(make: Make, vault: VaultServer) -> None:
    converge(make(), FILES)
    first = values(vault)
    vault.put_entry(SHOP, {"user": "shop", "key": first["key"]})
    converge(make(), FILES, applied=FILES)
    assert {name for name, value in values(vault).items() if value != first[name]} == {"password"}


def test_live_values_are_not_shown(make: Make, vault: VaultServer) -> None:
    """Somebody may have put a secret where the repository has plain text, or beside it."""
    converge(make(), FILES)
    vault.put_entry(SHOP, {**values(vault), "user": "live-secret-1", "added": "live-secret-2"})
    made = plan(make(), FILES, applied=FILES)
    assert [change.reason for change in made] == ["differs in data, data.user"]
    assert "live-secret" not in made.text() + str(made.to_json())


def test_a_race_is_lost_not_won(make: Make, vault: VaultServer) -> None:
    target = make()
    converge(target, FILES)
    changed = {**FILES, "kv.yaml": FILES["kv.yaml"].replace(b"user: shop", b"user: ours")}
    what = plan(target, changed, applied=FILES)
    vault.put_entry(SHOP, {**values(vault), "user": "theirs"})
    with pytest.raises(Conflict, match=r"^kv/data/conformance/shop was changed by somebody else in the meantime$"):
        list(carry_out(target, what))
    assert values(vault)["user"] == "theirs"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"kv: {a: b}\n", "kv.yaml:1: 'kv' cannot be an entry: MOUNT/PATH"),
        (b"kv/a/../b: {a: b}\n", "kv.yaml:1: 'kv/a/../b' cannot be an entry: MOUNT/PATH"),
        (b"gitops-agent/mini: {a: b}\n", "kv.yaml:1: 'gitops-agent/mini' cannot be an entry: MOUNT/PATH"),
        (b"kv/a: {}\n", "kv.yaml:1: kv/a holds nothing"),
        (b"kv/a:\n  b:\n", 'kv.yaml:2: b has no value; write "" for an empty one'),
        (b"kv/a:\n  b: !generate {length: 8}\n", "kv.yaml:2: !generate takes {length: 16"),
        (b"kv/a:\n  b: !generate {size: 32}\n", "kv.yaml:2: !generate takes {length: 16"),
        (b"kv/a:\n  b: !generate 32\n", "kv.yaml:2: !generate takes {length: 16"),
        (b"kv/a:\n  b: !other 32\n", "kv.yaml:2: is no value"),
    ],
)
def test_mistakes_name_file_and_line(make: Make, text: bytes, message: str) -> None:
    with pytest.raises(InvalidRevision) as raised:
        make().parse({"kv.yaml": text})
    assert str(raised.value).startswith(message)


@pytest.fixture
def resolver(vault: VaultServer, proxy: Proxy, tmp_path: Path) -> secret.Resolver:
    """As agent.toml makes it."""
    vault.mount_kv("kv")
    vault.put_entry("kv/shop/db", {"password": "pass-word-1", "port": 5432, "on": True, "deep": {"a": "b"}})
    policy = 'path "kv/data/shop/*" { capabilities = ["read"] }'
    vault.call("PUT", "sys/policies/acl/reader", {"policy": policy})
    token = vault.call("POST", "auth/token/create", {"policies": ["reader"]})["auth"]["client_token"]
    (tmp_path / "reader").write_text(token)
    table = f'state = "{tmp_path}/state"\n[secrets.vault]\naddress = "{proxy.url}"\ntoken_file = "{tmp_path}/reader"\n'
    (tmp_path / "agent.toml").write_text(table)
    return app.resolver(load(tmp_path / "agent.toml"))


def test_references_are_resolved(resolver: secret.Resolver) -> None:
    assert resolver("kv/shop/db#password") == "pass-word-1"
    assert resolver("kv/shop/db#port") == "5432"
    assert resolver("kv/shop/db#on") == "true"
    for missing in ("kv/shop/db#nothing", "kv/shop/none#password"):
        with pytest.raises(Unavailable, match=f"^secret '{missing}' does not exist yet$"):
            resolver(missing)
    with pytest.raises(Unavailable, match="is no text"):
        resolver("kv/shop/db#deep")
    with pytest.raises(Unavailable, match=r"^vault: the agent's token lacks read on kv/data/other$"):
        resolver("kv/other#password")
    for wrong in ("kv#password", "kv/shop/db", "kv/shop/../db#password", "/kv/shop#a"):
        with pytest.raises(InvalidRevision, match=r"write MOUNT/PATH#KEY, or file:NAME"):
            resolver(wrong)


def test_the_resolver_waits_for_the_unsealing(resolver: secret.Resolver, vault: VaultServer) -> None:
    vault.seal()
    try:
        with pytest.raises(Unavailable, match=r"^vault is sealed: unseal it"):
            resolver("kv/shop/db#password")
    finally:
        vault.unseal()
    assert resolver("kv/shop/db#password") == "pass-word-1"
