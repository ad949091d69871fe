"""Consul's ACL system beyond the suite: links, order, who may own what, and the branch the agent sits on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_agent.errors import ApplyFailed, Conflict, InvalidRevision, Unavailable, UnsafePlan
from gitops_agent.model import Action, Files
from gitops_agent.plan import Limits, guard
from gitops_agent.targets.consul.target import Consul
from tests.conformance.converge import carry_out, converge, plan
from tests.targets.consul.conftest import EVERYTHING
from tests.targets.consul.server import ConsulServer
from tests.targets.consul.test_rules import ACCEPTED
from tests.targets.proxy import Proxy

Make = Callable[..., Consul]
WEB = b'service "web" { policy = "read" }\n'


@pytest.fixture(autouse=True)
def _with_all_rights(token_file: Path, everything: str) -> None:
    token_file.write_text(everything)


@pytest.mark.parametrize("rules", ACCEPTED)
def test_what_passes_the_look_through_consul_takes(make: Make, consul: ConsulServer, rules: str) -> None:
    converge(make(), {"policies/p.hcl": rules.encode()})
    assert [policy["Name"] for policy in consul.acl("policies")] == ["p"]
    assert not plan(make(), {"policies/p.hcl": rules.encode() + b"\n\n"}), "failure mode 22: white space at the end"


def test_unchanged_costs_lists_only(make: Make, proxy: Proxy) -> None:
    """What was asked for one by one is asked for again only when its ModifyIndex in the list is another."""
    files = {f"policies/p{number}.hcl": WEB for number in range(20)}
    target = make()
    converge(target, files)
    plan(target, files)
    proxy.calls.clear()
    plan(target, files)
    record = "GET /v1/kv/gitops-agent/conformance/consul"
    keys = "GET /v1/kv/conformance/?recurse=true"
    assert proxy.calls == [record, "GET /v1/acl/policies", keys, "GET /v1/acl/token/self"]


def test_what_a_newer_consul_adds_to_every_object_changes_nothing(make: Make, consul: ConsulServer, proxy: Proxy) -> None:
    """Failure mode 25: and pruning goes on."""
    roles = b"app: {policies: [web]}\n"
    files = {"policies/web.hcl": WEB, "policies/old.hcl": WEB, "roles.yaml": roles, "tokens.yaml": b"web: {roles: [app]}\n"}
    converge(make(), files)
    proxy.rewrite = lambda path, content: content.replace(b'"ModifyIndex"', b'"Invented": "always", "ModifyIndex"')
    assert not plan(make(), files)
    del files["policies/old.hcl"]
    assert [(change.action, change.name) for change in converge(make(), files)] == [(Action.DELETE, "policy:old")]
    assert [policy["Name"] for policy in consul.acl("policies")] == ["web"]


def test_keys_alone_ask_nothing_of_the_acl_system(make: Make, proxy: Proxy, least_privilege: str, token_file: Path) -> None:
    token_file.write_text(least_privilege)
    converge(make(), {"kv/a": b"1"})
    assert not [call for call in proxy.calls if "/acl/" in call or "/config/" in call or "/catalog/" in call]


def test_a_missing_right_is_named(make: Make, least_privilege: str, token_file: Path) -> None:
    token_file.write_text(least_privilege)
    with pytest.raises(Unavailable, match=r"^consul: the agent's token lacks acl = \"write\"$"):
        plan(make(), {"policies/web.hcl": WEB})


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"roles.yaml": b"app: {policies: [absent]}\n"}, "roles.yaml:1: role:app needs policy:absent, which is neither"),
        ({"tokens.yaml": b"\nweb: {roles: [absent]}\n"}, "tokens.yaml:2: token:web needs role:absent, which is neither"),
        ({"roles.yaml": b"app:\n  policy: [a]\n"}, "roles.yaml:2: policy is not known here; did you mean 'policies'?"),
        ({"roles.yaml": b"app:\n  policies: a\n"}, "roles.yaml:2: policies: "),
        ({"roles.yaml": b"a b: {}\n"}, "roles.yaml:1: 'a b' cannot be a name here"),
        ({"tokens.yaml": b"../web: {}\n"}, "tokens.yaml:1: '../web' cannot be a name here"),
        (
            {"tokens.yaml": b"web:\n  accessor_id: 00000000-0000-0000-0000-000000000002\n"},
            "tokens.yaml:2: accessor_id: is one of Consul's",
        ),
        ({"tokens.yaml": b"web:\n  accessor_id: x\n"}, "tokens.yaml:2: accessor_id: "),
        (
            {"auth-methods.yaml": b"a:\n  type: jwt\n  max_token_ttl: 5 minutes\n"},
            "auth-methods.yaml:3: max_token_ttl: is no duration",
        ),
        ({"auth-methods.yaml": b"a: {}\n"}, "auth-methods.yaml:1: type is missing"),
        ({"binding-rules.yaml": b"a: {auth_method: m, bind_type: team, bind_name: n}\n"}, "binding-rules.yaml:1: bind_type: "),
        ({"policies/a b.hcl": b""}, "policies/a b.hcl: the name of a policy has letters"),
        ({"policies/a.json": b"{"}, "policies/a.json:1: is no JSON: expecting property name"),
        ({"policies/a.hcl": b"\xff"}, "policies/a.hcl: is not UTF-8"),
        (
            {"policies/a.hcl": b"", "policies/a.json": b"{}"},
            "policies/a.json: policy:a is declared twice; the other is in policies/a.hcl",
        ),
        ({"nodes.yaml": b"db:\n  services: {x: {}}\n"}, "nodes.yaml:1: address is missing"),
    ],
)
def test_mistakes_name_file_and_line(make: Make, files: Files, message: str) -> None:
    with pytest.raises(InvalidRevision) as raised:
        plan(make(), files)
    assert str(raised.value).startswith(message)


def test_a_link_may_lead_to_something_foreign_that_stays(make: Make, consul: ConsulServer) -> None:
    consul.call("PUT", "/v1/acl/policy", {"Name": "theirs", "Rules": ""})
    converge(make(), {"roles.yaml": b"app: {policies: [theirs]}\n", "policies/ours.hcl": WEB})
    files = {"roles.yaml": b"app: {policies: [ours]}\n"}
    with pytest.raises(InvalidRevision, match="role:app needs policy:ours, which is neither declared nor in Consul"):
        plan(make(), files)


def test_everything_at_once_and_away_again(make: Make, consul: ConsulServer) -> None:
    """Failure mode 38: created in the order of the links, deleted in reverse."""
    files = {
        "tokens.yaml": b"web: {roles: [app]}\n",
        "roles.yaml": b"app: {policies: [web]}\n",
        "policies/web.hcl": WEB,
        "kv.yaml": b"a: 1\n",
    }
    made = converge(make(), files)
    assert [change.name for change in made] == ["policy:web", "role:app", "token:web", "kv:conformance/a"]
    gone = plan(make(), {"README.md": b""})
    assert [change.name for change in gone] == ["kv:conformance/a", "token:web", "role:app", "policy:web"]
    target = make()
    [*carry_out(target, plan(target, {}))]
    assert (consul.keys(), consul.acl("policies"), consul.acl("roles"), consul.acl("tokens")) == ({}, [], [], [])


def test_an_auth_method_takes_its_tokens_with_it(make: Make) -> None:
    """Losing it logs everybody out who came through it: not without consent."""
    config = {"JWTValidationPubKeys": [(Path(__file__).parent / "jwt-key.pem").read_text()]}
    files = {"auth-methods.yaml": json.dumps({"nomad": {"type": "jwt", "config": config}}).encode(), "kv/a": b"1"}
    converge(make(), files)
    with pytest.raises(UnsafePlan, match="would destroy tokens issued by auth-method:nomad"):
        guard(plan(make(), {"kv/a": b"1"}), Limits())


def test_an_issuer_that_is_down_is_nobodys_mistake(make: Make, free_port: Callable[[], int]) -> None:
    method = {"type": "jwt", "config": {"JWKSURL": f"http://127.0.0.1:{free_port()}/jwks"}}
    with pytest.raises(Unavailable, match="connection refused"):
        converge(make(), {"auth-methods.yaml": json.dumps({"nomad": method}).encode()})


def test_somebody_was_quicker(make: Make, consul: ConsulServer) -> None:
    """Failure mode 44, where the API has no compare-and-set."""
    target = make()
    what = plan(target, {"policies/web.hcl": WEB})
    consul.call("PUT", "/v1/acl/policy", {"Name": "web", "Rules": ""})
    with pytest.raises(Conflict, match=r"^policy:web was created by somebody else in the meantime$"):
        [*carry_out(target, what)]


def test_what_consul_refuses_is_told_with_its_words(make: Make) -> None:
    with pytest.raises(ApplyFailed, match=r"^policy:web: consul answered 500 to PUT /v1/acl/policy: .*unknown type for string"):
        converge(make(), {"policies/web.json": b'{"acl": {"x": "read"}}'})


def test_only_what_the_operator_lets_it_own(make: Make, consul: ConsulServer) -> None:
    """Failure mode 16: several environments share one Consul."""
    converge(make(), {"policies/shop-web.hcl": WEB, "policies/platform.hcl": WEB})
    shop = make(only=["kv:*", "policy:shop-*"])
    assert shop.scope() == {f"{shop.settings.address} kv:conformance/", f"{shop.settings.address} policy:shop-"}
    with pytest.raises(
        InvalidRevision, match=r"^policies/platform.hcl: policy:platform is not among what agent.toml lets this target own$"
    ):
        plan(shop, {"policies/platform.hcl": b""})
    made = converge(shop, {"policies/shop-new.hcl": WEB})
    assert [(change.action, change.name) for change in made] == [
        (Action.CREATE, "policy:shop-new"),
        (Action.DELETE, "policy:shop-web"),
    ]
    assert sorted(policy["Name"] for policy in consul.acl("policies")) == ["platform", "shop-new"]
    ours = [change.name for change in plan(make(), {"kv/a": b""}) if change.action is Action.DELETE]
    assert ours == ["policy:shop-new", "policy:platform"]
    with pytest.raises(ValueError, match=r"'polic:x' must be \* or begin with one of kv:, policy:"):
        make(only=["polic:x"])


def test_the_agent_does_not_saw_off_its_branch(make: Make, consul: ConsulServer, token_file: Path) -> None:
    """Its token, the policies and the roles behind it: neither changed nor deleted, whoever put them under the agent's care."""
    rules = EVERYTHING.read_text().replace("mini-cloud", "conformance")
    files = {
        "policies/agent.hcl": rules.encode(),
        "roles.yaml": b"agent: {policies: [agent]}\n",
        "tokens.yaml": b"agent: {roles: [agent]}\n",
    }
    converge(make(), files)
    (stub,) = consul.acl("tokens")
    token_file.write_text(consul.call("GET", f"/v1/acl/token/{stub['AccessorID']}")["SecretID"])
    assert not plan(make(), files), "unchanged it may stay"
    for name, change in {
        "policy:agent": {"policies/agent.hcl": rules.encode() + b'event "x" { policy = "read" }\n'},
        "role:agent": {"roles.yaml": b"agent: {description: x, policies: [agent]}\n"},
        "token:agent": {"tokens.yaml": b"agent: {policies: [agent], roles: [agent]}\n"},
    }.items():
        with pytest.raises(UnsafePlan, match=f"^consul: would update {name}, which the agent's own token needs"):
            plan(make(), {**files, **change})
    with pytest.raises(UnsafePlan, match=r"^consul: would delete \w+:agent, which the agent's own token needs"):
        plan(make(), {"policies/other.hcl": WEB})
    with pytest.raises(UnsafePlan, match=r"^consul: would delete token:agent, which the agent's own token needs"):
        plan(make(), {**files, "tokens.yaml": b"{}"})
