"""Tokens: the same one after any accident, and their secrets where they belong and nowhere else."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitops_agent import secret
from gitops_agent.errors import ApplyFailed, Unavailable, UnsafePlan
from gitops_agent.model import Action, Files
from gitops_agent.secret import Secret
from gitops_agent.secret.token_files import TokenFiles
from gitops_agent.targets.consul.target import Consul
from tests.conformance.converge import converge, plan
from tests.conformance.subject import KEY
from tests.targets.consul.server import ConsulServer

Make = Callable[..., Consul]
POLICY = {"policies/web.hcl": b'service "web" { policy = "read" }\n'}
FILES: Files = {**POLICY, "tokens.yaml": b"web: {policies: [web]}\n"}
REFERENCE = secret.placeholder(Secret("file:web_token"), KEY).encode()
BY_REFERENCE: Files = {**POLICY, "tokens.yaml": b'web: {policies: [web], secret_id: "' + REFERENCE + b'"}\n'}


@pytest.fixture(autouse=True)
def _with_all_rights(token_file: Path, everything: str) -> None:
    token_file.write_text(everything)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


def live(consul: ConsulServer, name: str = "web") -> dict[str, Any]:
    (stub,) = [token for token in consul.acl("tokens") if token["Description"] == name]
    return dict(consul.call("GET", f"/v1/acl/token/{stub['AccessorID']}"))


def test_the_secret_goes_to_its_file_and_nowhere_else(
    make: Make, consul: ConsulServer, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Failure mode 59."""
    caplog.set_level(logging.DEBUG)
    made = converge(make(token_directory=directory), FILES)
    value = live(consul)["SecretID"]
    assert (directory / "web").read_text() == f"{value}\n"
    assert (directory / "web").stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == 0o700
    again = plan(make(token_directory=directory), FILES)
    assert not again
    for text in (made.text(), str(made.to_json()), repr(made), caplog.text, secret.mask(value)):
        assert value not in text
    converge(make(token_directory=directory), POLICY)
    assert [*directory.iterdir()] == []


def test_the_accessor_follows_from_the_name(make: Make, consul: ConsulServer) -> None:
    converge(make(), FILES)
    first = live(consul)["AccessorID"]
    consul.empty()
    converge(make(), FILES)
    assert live(consul)["AccessorID"] == first


def test_a_consul_that_is_set_up_anew_gives_clients_what_they_had(make: Make, consul: ConsulServer, directory: Path) -> None:
    converge(make(token_directory=directory), FILES)
    value = live(consul)["SecretID"]
    consul.empty()
    converge(make(token_directory=directory), FILES)
    assert live(consul)["SecretID"] == value


@pytest.mark.parametrize("content", [None, "", "11111111-1111-4111-8111-111111111111\n", "no secret at all\n"])
def test_a_file_that_was_lost_or_changed_is_written_again(
    make: Make, consul: ConsulServer, directory: Path, content: str | None
) -> None:
    converge(make(token_directory=directory), FILES)
    value = live(consul)["SecretID"]
    (directory / "web").unlink()
    if content is not None:
        (directory / "web").write_text(content)
        os.chmod(directory / "web", 0o640)  # noqa: PTH101
    made = converge(make(token_directory=directory), FILES)
    assert [change.reason for change in made] == ["differs in secret_file"]
    assert (directory / "web").read_text() == f"{value}\n"
    assert (directory / "web").stat().st_mode & 0o777 == (0o600 if content is None else 0o640), "its mode is the operator's choice"
    assert live(consul)["SecretID"] == value


def test_what_consul_never_changes_is_made_anew_with_the_same_secret(make: Make, consul: ConsulServer, directory: Path) -> None:
    for settings in ({}, {"token_directory": directory}):
        converge(make(**settings), FILES)
        before = live(consul)
        converge(make(**settings), {**POLICY, "tokens.yaml": b"web: {policies: [web], local: true}\n"})
        after = live(consul)
        assert (after["Local"], after["SecretID"], after["AccessorID"]) == (True, before["SecretID"], before["AccessorID"])
        accessor = uuid.uuid4()
        moved: Files = {**POLICY, "tokens.yaml": f"web: {{policies: [web], accessor_id: {accessor}}}\n".encode()}
        assert [change.action for change in converge(make(**settings), moved)] == [Action.UPDATE]
        assert (live(consul)["AccessorID"], live(consul)["SecretID"]) == (str(accessor), before["SecretID"])
        assert not plan(make(**settings), moved)
        converge(make(**settings), FILES)


def test_the_secret_can_come_from_a_store_and_be_rotated(make: Make, consul: ConsulServer) -> None:
    first, second = ({"file:web_token": str(uuid.uuid4())} for _ in range(2))
    target = make(secrets=["file:*"])
    converge(target, BY_REFERENCE, secrets=first)
    assert live(consul)["SecretID"] == first["file:web_token"]
    assert not plan(make(secrets=["file:*"]), BY_REFERENCE, secrets=first)
    made = converge(target, BY_REFERENCE, applied=BY_REFERENCE, secrets=second)
    assert [change.action for change in made] == [Action.UPDATE]
    assert live(consul)["SecretID"] == second["file:web_token"]
    assert not any(value in made.text() + str(made.to_json()) for value in (*first.values(), *second.values()))
    with pytest.raises(Unavailable, match=r"^token:web: the secret that its secret_id refers to is no UUID"):
        plan(target, BY_REFERENCE, secrets={"file:web_token": "no-uuid-at-all"})


def test_a_token_made_by_hand_is_adopted_by_its_accessor(make: Make, consul: ConsulServer) -> None:
    converge(make(), POLICY)
    theirs = consul.call("PUT", "/v1/acl/token", {"Description": "made in the UI", "Policies": [{"Name": "web"}]})
    files: Files = {**POLICY, "tokens.yaml": f"web: {{policies: [web], accessor_id: {theirs['AccessorID']}}}\n".encode()}
    made = converge(make(), files, applied=POLICY)
    assert [(change.action, change.name) for change in made] == [(Action.ADOPT, "token:web")]
    assert consul.call("GET", f"/v1/acl/token/{theirs['AccessorID']}") == theirs, "not a byte of it was written"


def test_a_description_is_no_claim(make: Make, consul: ConsulServer) -> None:
    """Anybody may write «web» into the description of a token: that makes it neither ours nor in the way."""
    consul.call("PUT", "/v1/acl/token", {"Description": "web"})
    made = converge(make(), FILES)
    assert {change.action for change in made} == {Action.CREATE}
    assert len(consul.acl("tokens")) == 2
    converge(make(), POLICY)
    assert [token["Description"] for token in consul.acl("tokens")] == ["web"]


def test_a_changed_or_deleted_token_comes_back(make: Make, consul: ConsulServer) -> None:
    """Failure mode 29."""
    converge(make(), FILES)
    token = live(consul)
    consul.call("PUT", f"/v1/acl/token/{token['AccessorID']}", {**token, "Policies": []})
    assert [change.reason for change in converge(make(), FILES, applied=FILES)] == ["differs in policies"]
    assert [policy["Name"] for policy in live(consul)["Policies"]] == ["web"]


def test_a_name_leads_out_of_no_directory(tmp_path: Path) -> None:
    """Names of what is to be deleted come from a record in Consul that others may be able to write."""
    (tmp_path / "precious").write_text("x")
    files = TokenFiles(tmp_path / "tokens", "consul")
    for name in ("../precious", ".hidden", "/etc/passwd"):
        with pytest.raises(ApplyFailed, match="no name of a token"):
            files.remove(name)
        with pytest.raises(ApplyFailed, match="no name of a token"):
            files.write(name, "value")
    assert (tmp_path / "precious").read_text() == "x"


def test_the_agents_own_secret_may_be_written_to_a_file(
    make: Make, consul: ConsulServer, token_file: Path, directory: Path
) -> None:
    """That takes nothing away. Anything else about its own token is refused."""
    own = consul.call("GET", "/v1/acl/token/self", token=token_file.read_text())
    policy = own["Policies"][0]["Name"]
    text = f"agent: {{policies: [{policy}], accessor_id: {own['AccessorID']}}}\n"
    target = make(token_directory=directory, adopt=True)
    made = converge(target, {"tokens.yaml": text.encode()})
    assert [change.reason for change in made] == ["adopted; differs in secret_file"]
    assert (directory / "agent").read_text().strip() == own["SecretID"]
    with pytest.raises(UnsafePlan, match="would update token:agent, which the agent's own token needs"):
        plan(target, {"tokens.yaml": text.replace("{policies", "{local: true, policies").encode()})
