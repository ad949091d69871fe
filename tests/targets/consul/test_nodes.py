"""External services: what the suite does not ask of every kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitops_agent.errors import ApplyFailed, Conflict, InvalidRevision, UnsafePlan
from gitops_agent.model import Action, Files
from gitops_agent.targets.consul.target import Consul
from tests.conformance.converge import carry_out, converge, plan
from tests.targets.consul.server import ConsulServer

Make = Callable[..., Consul]


@pytest.fixture(autouse=True)
def _with_all_rights(token_file: Path, everything: str) -> None:
    token_file.write_text(everything)


def files(**services: Any) -> Files:
    return {"nodes.yaml": json.dumps({"db-host": {"address": "10.0.0.5", "services": services}}).encode()}


def test_dns_and_health_find_it(make: Make, consul: ConsulServer) -> None:
    converge(make(), files(postgres={"port": 5432, "tags": ["primary"], "meta": {"version": "15"}}))
    (found,) = consul.call("GET", "/v1/health/service/postgres?passing=true")
    assert (found["Node"]["Address"], found["Node"]["Meta"]) == ("10.0.0.5", {"external-node": "true"})
    assert (found["Service"]["Port"], found["Service"]["Tags"], found["Service"]["Meta"]) == (5432, ["primary"], {"version": "15"})


def test_a_lost_race_is_a_conflict_and_nothing_lands(make: Make, consul: ConsulServer) -> None:
    """Failure mode 44."""
    target = make()
    converge(target, files(a={"port": 1}, b={"port": 2}))
    what = plan(target, files(a={"port": 10}, b={"port": 20}))
    consul.call("PUT", "/v1/catalog/register", {"Node": "db-host", "Address": "10.0.0.5", "SkipNodeUpdate": True,
                                               "Service": {"ID": "b", "Service": "b", "Port": 3}})  # fmt: skip
    with pytest.raises(Conflict, match=r"^node:db-host was changed by somebody else in the meantime$"):
        [*carry_out(target, what)]
    assert consul.call("GET", "/v1/catalog/node/db-host")["Services"]["a"]["Port"] == 1


def test_the_order_of_tags_is_the_authors(make: Make) -> None:
    converge(make(), files(a={"tags": ["x", "y"]}))
    assert not plan(make(), files(a={"tags": ["x", "y"]}))


def test_a_foreign_node_is_refused(make: Make, consul: ConsulServer) -> None:
    """Failure mode 31."""
    consul.call("PUT", "/v1/catalog/register", {"Node": "db-host", "Address": "10.0.0.6", "NodeMeta": {"external-node": "true"}})
    with pytest.raises(UnsafePlan, match="not ours"):
        converge(make(), files(a={"port": 1}))
    made = converge(make(adopt=True), files(a={"port": 1}))
    assert [change.action for change in made] == [Action.UPDATE]


def test_a_host_with_an_agent_is_no_external_one(make: Make) -> None:
    text = json.dumps({"test": {"address": "127.0.0.1", "services": {"a": {}}}}).encode()
    with pytest.raises(InvalidRevision, match=r"^nodes.yaml:1: test runs a Consul agent, which would undo what is written here"):
        plan(make(), {"nodes.yaml": text})


def test_a_missing_right_is_named(make: Make, consul: ConsulServer, token_file: Path) -> None:
    rules = (
        'key_prefix "" { policy = "write" } node_prefix "" { policy = "read" } service_prefix "" { policy = "read" } acl = "read"'
    )
    token_file.write_text(consul.token(rules))
    with pytest.raises(ApplyFailed, match=r'lacks node "db-host" { policy = "write" }, or the same for one of its services'):
        converge(make(), files(a={"port": 1}))
