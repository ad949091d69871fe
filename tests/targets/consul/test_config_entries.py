"""Config entries: what Consul makes of them is no difference, and what the author takes out of them is one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gitops_agent.errors import ApplyFailed, Conflict, InvalidRevision, Unavailable
from gitops_agent.model import Action, Files
from gitops_agent.targets.consul.target import Consul
from tests.conformance.converge import carry_out, converge, plan
from tests.targets.consul.server import ConsulServer
from tests.targets.proxy import Proxy

Make = Callable[..., Consul]

_CASES = Path(__file__).parent / "config_entries"
_OLD: list[dict[str, Any]] = json.loads((_CASES / "any-consul.json").read_text())
_NEW: list[dict[str, Any]] = json.loads((_CASES / "consul-1.16.json").read_text())


@pytest.fixture(autouse=True)
def _with_all_rights(token_file: Path, everything: str) -> None:
    token_file.write_text(everything)


def files(*entries: Mapping[str, Any]) -> Files:
    return {f"config-entries/{number:02}.json": json.dumps(entry).encode() for number, entry in enumerate(entries)}


def modern(consul: ConsulServer) -> bool:
    version = consul.call("GET", "/v1/agent/self")["Config"]["Version"]
    return tuple(map(int, version.split(".")[:2])) >= (1, 16)


def test_whatever_consul_makes_of_it_the_second_run_writes_nothing(make: Make, consul: ConsulServer) -> None:
    """Failure modes 20, 21, 22: defaults that are written out, fields that Consul adds, durations, order. With new targets, which
    remember nothing."""
    everything = files(*_OLD, *(_NEW if modern(consul) else []))
    made = converge(make(), everything)
    assert {change.action for change in made} == {Action.CREATE}
    assert len(made.changes) == len(everything)
    assert plan(make(), everything).text() == "consul: no changes\n"


def test_a_default_that_is_not_known_costs_one_write_too_many_and_not_one_a_run(make: Make, proxy: Proxy) -> None:
    """Failure mode 25: what a later Consul adds of its own accord: written again after a restart of the agent at most."""
    proxy.rewrite = lambda path, content: content.replace(b'"Kind"', b'"Invented": 7, "Kind"') if "/v1/config" in path else content
    entry = files({"Kind": "service-defaults", "Name": "web", "Protocol": "http"})
    target = make()
    converge(target, entry)
    assert not plan(target, entry)
    restarted = make()
    assert [change.action for change in converge(restarted, entry)] == [Action.UPDATE]
    assert not plan(restarted, entry)
    changed = files({"Kind": "service-defaults", "Name": "web", "Protocol": "tcp"})
    assert [change.action for change in plan(restarted, changed)] == [Action.UPDATE], "what is remembered is not trusted"


def test_they_come_in_the_order_they_need_each_other_and_go_in_reverse(make: Make, consul: ConsulServer) -> None:
    """A router is only accepted for a service whose protocol is known to be HTTP, and the protocol cannot go first."""
    converge(make(), files(*reversed(_OLD)))
    assert len(consul.config()) == len(_OLD)
    converge(make(), {"kv/x": b""})
    assert consul.config() == {}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"Protocol": "http"}, {}),
        ({"Meta": {"a": "1", "b": "2"}}, {"Meta": {"a": "1"}}),
        ({"ExternalSNI": "x"}, {"ExternalSNI": ""}),
        ({"MeshGateway": {"Mode": "local"}}, {"MeshGateway": {}}),
    ],
)
def test_what_is_taken_out_goes(make: Make, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    base = {"Kind": "service-defaults", "Name": "web"}
    converge(make(), files({**base, **before}))
    made = converge(make(), files({**base, **after}))
    assert [change.action for change in made] == [Action.UPDATE]
    assert not plan(make(), files({**base, **after}))


def test_an_explicit_nought_is_not_nothing(make: Make, consul: ConsulServer) -> None:
    if not modern(consul):
        return  # nothing of the kind in Consul 1.8
    check: dict[str, Any] = {"Interval": "30s", "EnforcingConsecutive5xx": 0}
    entry = {"Kind": "service-defaults", "Name": "up", "UpstreamConfig": {"Defaults": {"PassiveHealthCheck": check}}}
    converge(make(), files(entry))
    del check["EnforcingConsecutive5xx"]
    (change,) = plan(make(), files(entry))
    assert change.reason.startswith("differs in UpstreamConfig.Defaults.PassiveHealthCheck")


def test_a_lost_race_is_a_conflict(make: Make, consul: ConsulServer) -> None:
    """Failure mode 44."""
    entry = {"Kind": "service-defaults", "Name": "web", "Protocol": "http"}
    target = make()
    created = plan(target, files(entry))
    consul.call("PUT", "/v1/config", {**entry, "Protocol": "tcp"})
    with pytest.raises(Conflict, match=r"^config:service-defaults/web was changed by somebody else in the meantime$"):
        [*carry_out(target, created)]
    assert consul.config()["service-defaults/web"]["Protocol"] == "tcp"


def test_what_consul_refuses_is_told_with_its_words(make: Make) -> None:
    with pytest.raises(ApplyFailed, match=r'^config:service-defaults/web: consul answered 400 .* invalid config key "Protokol"'):
        converge(make(), files({"Kind": "service-defaults", "Name": "web", "Protokol": "http"}))


def test_a_kind_that_this_consul_does_not_know(make: Make, consul: ConsulServer) -> None:
    kind = "control-plane-request-limit" if modern(consul) else "service-intentions"
    with pytest.raises(InvalidRevision, match=f"^config-entries/00.json: this Consul knows no config entries of kind {kind}$"):
        plan(make(), files({"Kind": kind, "Name": "x"}))


def test_a_list_that_hides_entries_is_never_taken_for_the_whole(make: Make, consul: ConsulServer, token_file: Path) -> None:
    """Failure mode 37. Consul 1.8 leaves out of a list what the token may not see, and does not say so."""
    entry = {"Kind": "service-defaults", "Name": "web", "Protocol": "http"}
    converge(make(), files(entry))
    rules = 'key_prefix "gitops-agent/" { policy = "write" } key_prefix "conformance/" { policy = "write" }'
    token_file.write_text(consul.token(rules))
    with pytest.raises(Unavailable, match=r'the agent\'s token lacks service(_prefix)? "(web)?" { policy = "write" }'):
        plan(make(), files(entry))
    with pytest.raises(Unavailable, match="the agent's token lacks service"):
        plan(make(), {"kv/x": b""})
