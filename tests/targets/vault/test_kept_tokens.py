"""Tokens of programs: renewed in time, replaced in order, and none left over after an accident."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from gitops_agent import metrics
from gitops_agent.errors import ApplyFailed, InvalidRevision, Unavailable
from gitops_agent.model import Files
from gitops_agent.targets.vault.target import Vault
from tests.conformance.converge import converge, plan
from tests.fakes.gitea import FakeGitea
from tests.gitserver import GitServer
from tests.targets.proxy import Proxy
from tests.targets.vault.conftest import ENVIRONMENT
from tests.targets.vault.server import VaultServer
from tests.worker.running import TOKEN, Running, eventually

METRICS = b'path "sys/metrics" {\n  capabilities = ["read"]\n}\n'


def files(period: str = "1h", policy: str = "metrics", more: str = "") -> Files:
    declared = f"prometheus: {{policies: [{policy}], period: {period}, secret: prometheus-token}}\n{more}"
    return {"policies/metrics.hcl": METRICS, "policies/other.hcl": METRICS, "tokens.yaml": declared.encode()}


NONE: Files = {path: content for path, content in files().items() if path != "tokens.yaml"}


class Store:
    def __init__(self, make: Callable[..., Vault], vault: VaultServer, directory: Path) -> None:
        self._make = make
        self._vault = vault
        self.directory = directory
        self.file = directory / "prometheus-token"

    def target(self) -> Vault:
        return self._make(token_directory=str(self.directory), secrets=["file:*"])

    def value(self) -> str:
        return self.file.read_text().strip()

    def told(self, value: str) -> Any:
        """What Vault says to who shows that token; None when it does not know it."""
        try:
            return self._vault.call("GET", "auth/token/lookup-self", token=value)["data"]
        except AssertionError:
            return None

    def issued(self) -> set[str]:
        """Values of all periodic tokens of the agent's, by accessor."""
        accessors = self._vault.call("LIST", "auth/token/accessors")["data"]["keys"]
        found = [self._vault.call("POST", "auth/token/lookup-accessor", {"accessor": accessor}) for accessor in accessors]
        return {one["data"]["accessor"] for one in found if (one["data"]["meta"] or {}).get("gitops-agent")}


@pytest.fixture
def store(make: Callable[..., Vault], vault: VaultServer, tmp_path: Path) -> Store:
    for accessor in (made := Store(make, vault, tmp_path / "secrets")).issued():
        vault.call("POST", "auth/token/revoke-accessor", {"accessor": accessor})
    return made


def test_issued_once_into_its_file_and_nowhere_else(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made = converge(store.target(), files())
    told = store.told(store.value())
    assert (told["policies"], told["period"], told["orphan"]) == (["default", "metrics"], 3600, True)
    assert store.file.stat().st_mode & 0o777 == 0o600
    assert not plan(store.target(), files(), applied=files())
    assert re.search(
        r'token_expiry_timestamp_seconds\{environment="conformance",target="vault",token="prometheus"\} \d', metrics.text()
    )
    for text in (made.text(), str(made.to_json()), caplog.text):
        assert store.value() not in text


def test_renewed_when_half_of_its_time_is_over(store: Store) -> None:
    first = files("4s")
    converge(store.target(), first)
    value = store.value()
    born = store.told(value)["creation_time"]
    while store.told(value)["ttl"] >= 2:
        time.sleep(0.05)
    what = plan(store.target(), first, applied=first)
    assert [(change.name, change.follows) for change in what] == [("token:prometheus", True)]
    assert re.fullmatch(r"expires in [01] seconds", what.changes[0].reason)
    converge(store.target(), first, applied=first)
    told = store.told(value)
    assert (store.value(), told["creation_time"]) == (value, born), "the same token"
    assert told["ttl"] >= 3


@pytest.mark.slow
def test_renewed_by_an_agent_that_only_reports_drift(
    store: Store, vault: VaultServer, token_file: Path, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    git = GitServer(tmp_path / "git", TOKEN)
    (tmp_path / "agent").mkdir()
    with ExitStack() as ending, FakeGitea() as gitea:
        ending.callback(git.stop)
        agent = Running(tmp_path / "agent", git, gitea, free_port(), ENVIRONMENT)
        where = {"address": vault.url, "token_file": str(token_file), "token_directory": str(store.directory)}
        agent.configure(targets=agent.target("vault", "vault", drift="report", secrets=["file:*"], **where), resync=1)
        agent.start()
        try:
            agent.settled(agent.author.push({f"vault/{path}": content for path, content in files("8s").items()}))
            value = store.value()
            vault.call("PUT", "sys/policies/acl/other", {"policy": "# by hand"})
            eventually(lambda: store.told(value).get("last_renewal_time"), what="renewed")
        finally:
            agent.stop()
    assert store.value() == value
    assert vault.policies()["other"] == "# by hand"


def test_one_that_ran_out_or_was_revoked_never_comes_back(store: Store, vault: VaultServer) -> None:
    converge(store.target(), files("1s"))
    lost = store.value()
    while store.told(lost):
        time.sleep(0.05)
    made = converge(store.target(), files("1h"), applied=files("1s"))
    assert [change.name for change in made] == ["token:prometheus"]
    second = store.value()
    assert second != lost
    vault.call("POST", "auth/token/revoke", {"token": second})
    what = plan(store.target(), files(), applied=files())
    assert "Vault does not know it any more: it has expired or was revoked" in [change.reason for change in what]
    converge(store.target(), files(), applied=files())
    assert store.value() not in (lost, second)
    assert store.told(store.value())


def test_the_old_one_works_until_a_later_run_has_ended(store: Store) -> None:
    """Failure mode 48: programs switch after the new one is in its file, whatever the order of targets."""
    converge(store.target(), files())
    old = store.value()
    made = converge(store.target(), files(policy="other"), applied=files())
    assert [change.reason for change in made] == ["differs in policies[0]"]
    new = store.value()
    assert store.told(new)["policies"] == ["default", "other"]
    assert store.told(old), "its users have it still"
    later = converge(store.target(), files(policy="other"), applied=files(policy="other"))
    assert [(change.action, change.reason, change.follows) for change in later] == [("delete", "another has taken its place", True)]
    assert store.told(old) is None
    assert store.told(new)
    assert not plan(store.target(), files(policy="other"), applied=files(policy="other"))


def test_taken_out_it_is_revoked_with_its_file(store: Store) -> None:
    converge(store.target(), files())
    converge(store.target(), files("2h"), applied=files())
    converge(store.target(), NONE, applied=files("2h"))
    assert not store.issued()
    assert not store.file.exists()
    assert 'environment="conformance",target="vault",token="prometheus"' not in metrics.text()
    assert not plan(store.target(), NONE, applied=NONE)


@pytest.mark.parametrize("then", [files(), NONE], ids=["again", "reverted"])
def test_killed_when_it_was_issued(store: Store, proxy: Proxy, then: Files) -> None:
    """What Vault has issued and nobody was given is taken back by the next run. The agent never sees Vault's answer."""

    def cut(path: str, content: bytes) -> bytes:
        if path == "/v1/auth/token/create-orphan":
            raise ConnectionError
        return content

    whole, proxy.rewrite = proxy.rewrite, cut
    with pytest.raises(Unavailable):
        converge(store.target(), files())
    proxy.rewrite = whole
    assert not store.file.exists()
    (lost,) = store.issued()
    converge(store.target(), then, applied=NONE)
    assert store.issued() == ({store.told(store.value())["accessor"]} if then != NONE else set())
    assert lost not in store.issued()
    assert not plan(store.target(), then, applied=then)


def test_killed_before_the_file_was_written(store: Store) -> None:
    """The directory cannot be written: all but the last step was done."""
    converge(store.target(), files())
    old = store.value()
    store.file.rename(store.directory / "aside")
    store.file.symlink_to(store.directory / "aside")  # is read, and not written through
    with pytest.raises(ApplyFailed, match="token_directory"):
        converge(store.target(), files("2h"), applied=files())
    assert store.told(old)
    (store.directory / "aside").replace(store.file)
    converge(store.target(), files("2h"), applied=files("2h"))
    assert store.told(old)
    converge(store.target(), files("2h"), applied=files("2h"))
    assert store.issued() == {store.told(store.value())["accessor"]}


def test_what_was_issued_by_hand_is_adopted(store: Store, vault: VaultServer) -> None:
    """As `gitops-agent bootstrap` does."""
    store.directory.mkdir()
    store.file.write_text("a" * 40)
    body = {"id": "a" * 40, "policies": ["metrics"], "period": 3600}
    vault.call("POST", "auth/token/create-orphan", body)
    made = converge(store.target(), files())
    assert {change.action for change in made if change.name == "token:prometheus"} == {"adopt"}
    assert not plan(store.target(), files(), applied=files())
    converge(store.target(), NONE, applied=files())
    assert store.told("a" * 40) is None


def test_a_vault_set_up_anew_is_told_what_programs_have(store: Store) -> None:
    store.directory.mkdir()
    store.file.write_text("b" * 40)
    converge(store.target(), files())
    assert store.told("b" * 40)["period"] == 3600


def test_other_secrets_are_not_overwritten(store: Store) -> None:
    store.directory.mkdir()
    store.file.write_text("a password: of others")
    with pytest.raises(ApplyFailed, match="file:prometheus-token holds something else; take it away first"):
        converge(store.target(), files())
    assert store.value() == "a password: of others"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {policies: []}", "tokens.yaml:1: policies: "),
        ("a: {policies: [root]}", "tokens.yaml:1: policies: no program gets a root token"),
        ("a: {policies: [b], period: soon}", "tokens.yaml:1: period: is no duration such as 768h"),
        ("a: {policies: [b], secret: ../key}", "tokens.yaml:1: secret: "),
        ("a: {policies: [b], secret: c}\nc: {policies: [b]}", "tokens.yaml:2: c keeps the token a already"),
    ],
)
def test_mistakes_name_file_and_line(store: Store, text: str, message: str) -> None:
    with pytest.raises(InvalidRevision) as raised:
        store.target().parse({"tokens.yaml": text.encode()})
    assert str(raised.value).startswith(message)


def test_where_tokens_may_lie_is_said_in_agent_toml(make: Callable[..., Vault], tmp_path: Path) -> None:
    with pytest.raises(InvalidRevision, match=r"tokens need a place: token_directory in agent\.toml"):
        make(secrets=["file:*"]).parse(files())
    with pytest.raises(InvalidRevision, match=r"agent\.toml does not let this target use file:prometheus-token"):
        make(secrets=["file:nomad-*"], token_directory=str(tmp_path)).parse(files())
