"""A Nomad whose data is gone gets new ACLs, and with them the tokens that the agent and Vault live on."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from gitops_agent.bootstrap import Blueprint, Credentials, Ground, climb
from gitops_agent.bootstrap.nomad import NomadAcl
from gitops_agent.errors import Unavailable
from tests.bootstrap.conftest import stand_on
from tests.fakes.nomad import FakeNomad
from tests.gitserver import git
from tests.targets.nomad.server import NomadServer

_TOKENS = ("gitops-agent-nomad-token", "vault-nomad-token")


@pytest.fixture
def nomad() -> Iterator[FakeNomad]:
    """Just installed."""
    with FakeNomad() as fake:
        fake.lose()
        yield fake


def _ground(repo: Path, nomad: FakeNomad, without: str = "", credentials: Credentials | None = None) -> Ground:
    values = f"root: {repo.parent}/root\naddresses: {{nomad: '{nomad.url}'}}\nwithout: [{without}]\n"
    (repo / "values/mini-cloud.yaml").write_text(values)
    git("add", "--all", at=repo)
    git("commit", "--quiet", "--message", "Begin", at=repo)
    ground = stand_on(Blueprint.read(repo), credentials)
    ground.secrets.write("nomad-bootstrap-token", str(uuid.uuid4()))
    return ground


@pytest.fixture
def ground(repo: Path, nomad: FakeNomad) -> Iterator[Ground]:
    made = _ground(repo, nomad)
    yield made
    made.close()


def _does(ground: Ground) -> int:
    """How many steps had something to do."""
    return climb([NomadAcl(ground)], lambda: None, lambda _name, _missing: nullcontext(lambda _said: None))


def _manages(nomad: FakeNomad, token: str) -> bool:
    """Whether it may do what the agent and Vault do, such as to make tokens."""
    asked = NomadServer(nomad.url, token)
    return asked.call("GET", "acl/token/self")["Type"] == "management" and asked.call("GET", "acl/policies") == []


def test_acls_begin_with_the_token_that_was_chosen(ground: Ground, nomad: FakeNomad) -> None:
    """Nothing gets lost between Nomad's answer and the disk: the next one finds its own token to work."""
    chosen = ground.secrets.read("nomad-bootstrap-token")
    assert uuid.UUID(chosen)
    assert _does(ground) == 1
    assert ground.secrets.read("nomad-bootstrap-token") == chosen
    assert all(_manages(nomad, ground.secrets.read(name)) for name in (*_TOKENS, "nomad-bootstrap-token"))
    assert _does(ground) == 0


def test_killed_after_they_began_it_goes_on(ground: Ground, nomad: FakeNomad) -> None:
    NomadServer(nomad.url, "").call("POST", "acl/bootstrap", {"BootstrapSecret": ground.secrets.read("nomad-bootstrap-token")})
    assert _does(ground) == 1
    assert len(nomad.acl.management) == 3


def test_a_nomad_that_lost_its_data_begins_anew(ground: Ground, nomad: FakeNomad) -> None:
    """None of the tokens is known any more, the one of the administrator neither."""
    _does(ground)
    before = {name: ground.secrets.read(name) for name in _TOKENS}
    nomad.lose()
    assert NomadAcl(ground).missing() == "no gitops-agent-nomad-token and no vault-nomad-token"
    assert _does(ground) == 1
    after = {name: ground.secrets.read(name) for name in _TOKENS}
    assert not {*before.values()} & {*after.values()}
    assert all(_manages(nomad, token) for token in after.values())
    assert _does(ground) == 0


def test_only_a_token_that_is_lost_is_made_again(ground: Ground, nomad: FakeNomad) -> None:
    _does(ground)
    kept = ground.secrets.read("gitops-agent-nomad-token")
    nomad.acl.management.discard(ground.secrets.read("vault-nomad-token"))
    assert NomadAcl(ground).missing() == "no vault-nomad-token"
    assert _does(ground) == 1
    assert ground.secrets.read("gitops-agent-nomad-token") == kept
    assert _manages(nomad, ground.secrets.read("vault-nomad-token"))


def test_without_vault_there_is_no_token_for_it(repo: Path, nomad: FakeNomad) -> None:
    ground = _ground(repo, nomad, without="vault")
    assert _does(ground) == 1
    assert not ground.secrets.has("vault-nomad-token")
    assert len(nomad.acl.management) == 2
    ground.close()


def test_a_token_that_somebody_named_is_not_replaced(repo: Path, nomad: FakeNomad) -> None:
    """It may be that of another Nomad."""
    named = repo.parent / "named"
    named.write_text(str(uuid.uuid4()))
    ground = _ground(repo, nomad, credentials=Credentials(nomad_token=named))
    with pytest.raises(Unavailable, match="nomad does not know the token in"):
        NomadAcl(ground).do()
    assert nomad.acl.management == set()
    ground.close()
