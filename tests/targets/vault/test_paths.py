"""Configurations and roles by path: what Vault adds, changes and never tells. Failure modes 21, 22, 33, 34."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gitops_agent.errors import InvalidRevision, UnsafePlan
from gitops_agent.model import Action, Files
from gitops_agent.plan import Limits, Plan, guard
from gitops_agent.secret import Secret, placeholder
from gitops_agent.targets.vault import likeness
from gitops_agent.targets.vault.target import Vault
from tests.conformance.converge import converge, plan
from tests.conformance.subject import KEY, REFERENCE
from tests.targets.vault.server import VaultServer

Make = Callable[..., Vault]
METHODS = {"auth-methods.yaml": b"approle: {type: approle}\njwt: {type: jwt}\n"}
PUBLIC_KEY = """\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9
q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==
-----END PUBLIC KEY-----
"""


def paths(text: str) -> Files:
    return {**METHODS, "paths.yaml": text.encode()}


JWT = paths(f"""\
auth/jwt/config:
  jwt_validation_pubkeys:
    - |
{"".join(f"      {line}" for line in PUBLIC_KEY.splitlines(keepends=True))}
auth/jwt/role/nomad:
  role_type: jwt
  bound_audiences: vault.io,  other.io
  user_claim: /nomad_job_id
  user_claim_json_pointer: "true"
  claim_mappings: {{nomad_namespace: nomad_namespace}}
  token_type: service
  token_policies: [b, a]
  token_period: 1h30m
  token_num_uses: 0
auth/approle/role/shop: {{token_policies: a, token_ttl: 1800s, bind_secret_id: true}}
""")


def names(plan: Plan) -> Mapping[str, tuple[Action, str]]:
    return {change.name: (change.action, change.reason) for change in plan}


def test_the_same_in_other_words_is_the_same(make: Make, vault: VaultServer) -> None:
    """Failure modes 19, 21, 22."""
    converge(make(), JWT)
    assert vault.data("auth/jwt/role/nomad")["token_period"] == 5400
    assert not plan(make(), JWT, applied=JWT)
    vault.call("POST", "auth/jwt/role/nomad", {"role_type": "jwt", "token_policies": ["a", "b"]})
    assert not plan(make(), JWT, applied=JWT), "their order means nothing"


def test_planted_by_somebody_else_is_adopted(make: Make, vault: VaultServer, tmp_path: Path) -> None:
    """Without a record nothing says which fields are Vault's own defaults."""
    converge(make(), JWT)
    vault.call("DELETE", "sys/mounts/gitops-agent")
    made = converge(make(), JWT)
    assert {change.action for change in made} == {Action.ADOPT}
    assert "gitops-agent/" not in vault.data("sys/mounts")


def test_what_others_add_is_drift(make: Make, vault: VaultServer) -> None:
    converge(make(), JWT)
    theirs = {"role_type": "jwt", "bound_subject": "somebody", "token_no_default_policy": True}
    vault.call("POST", "auth/jwt/role/nomad", theirs)
    assert names(plan(make(), JWT, applied=JWT)) == {
        "path:auth/jwt/role/nomad": (Action.UPDATE, "differs in bound_subject, token_no_default_policy")
    }
    converge(make(), JWT, applied=JWT)
    role = vault.data("auth/jwt/role/nomad")
    assert (role["bound_subject"], role["token_no_default_policy"]) == ("", False)
    assert not plan(make(), JWT, applied=JWT)


def test_fields_that_are_taken_out_go_back(make: Make, vault: VaultServer) -> None:
    before = paths("auth/approle/role/a: {token_ttl: 1h, token_policies: [x], token_bound_cidrs: 10.0.0.0/8, token_num_uses: 3}\n")
    after = paths("auth/approle/role/a: {token_policies: [x]}\n")
    converge(make(), before)
    converge(make(), after, applied=before)
    role = vault.data("auth/approle/role/a")
    assert {
        field: role[field] for field in ("token_ttl", "token_policies", "bind_secret_id", "token_bound_cidrs", "token_num_uses")
    } == {
        "token_ttl": 0,
        "token_policies": ["x"],
        "bind_secret_id": True,
        "token_bound_cidrs": [],
        "token_num_uses": 0,
    }
    assert not plan(make(), after, applied=after)


def test_roles_that_are_taken_out_are_gone(make: Make, vault: VaultServer) -> None:
    """Failure mode 34; and failure mode 33: somebody else's role in the same engine stays."""
    converge(make(), JWT)
    vault.call("POST", "auth/approle/role/theirs", {"token_ttl": "1h"})
    fewer = paths(JWT["paths.yaml"].decode().split("auth/approle/role/shop")[0])
    made = converge(make(), fewer, applied=JWT)
    assert names(made) == {"path:auth/approle/role/shop": (Action.DELETE, "not declared")}
    assert vault.call("LIST", "auth/approle/role")["data"]["keys"] == ["theirs"]


def test_what_cannot_be_read_is_tracked(make: Make, vault: VaultServer, tmp_path: Path) -> None:
    """A rotated secret behind the same reference is written; also where the object was adopted."""
    text = f"auth/approle/role/a: {{token_policies: [x], role_id: '{placeholder(Secret(REFERENCE), KEY)}'}}\n"
    files, allowed = paths(text), {"secrets": ["file:*"]}
    role_id = "auth/approle/role/a/role-id"
    converge(make(**allowed), files, secrets={REFERENCE: "role-id-number-one"})
    assert vault.data(role_id)["role_id"] == "role-id-number-one"
    assert not plan(make(**allowed), files, applied=files, secrets={REFERENCE: "role-id-number-one"})
    rotated = converge(make(**allowed), files, applied=files, secrets={REFERENCE: "role-id-number-two"})
    assert names(rotated) == {"path:auth/approle/role/a": (Action.UPDATE, "differs in role_id")}
    assert vault.data(role_id)["role_id"] == "role-id-number-two"
    assert "number" not in rotated.text() + str(rotated.to_json())
    vault.call("DELETE", "sys/mounts/gitops-agent")
    assert {change.action for change in converge(make(**allowed), files, secrets={REFERENCE: "role-id-number-two"})} == {
        Action.ADOPT
    }
    assert not plan(make(**allowed), files, applied=files, secrets={REFERENCE: "role-id-number-two"})
    converge(make(**allowed), files, applied=files, secrets={REFERENCE: "role-id-number-three"})
    assert vault.data(role_id)["role_id"] == "role-id-number-three"


def test_what_cannot_be_read_stays_when_it_is_taken_out(make: Make, vault: VaultServer) -> None:
    before = paths("auth/approle/role/a: {token_policies: [x], role_id: fixed}\n")
    after = paths("auth/approle/role/a: {token_policies: [x]}\n")
    converge(make(), before)
    assert names(converge(make(), after, applied=before)) == {"path:auth/approle/role/a": (Action.UPDATE, "differs in role_id")}
    assert vault.data("auth/approle/role/a/role-id")["role_id"] == "fixed"
    assert not plan(make(), after, applied=after)


def test_a_configuration_that_is_always_there(make: Make, vault: VaultServer) -> None:
    """kv/config answers before anybody has set it: nobody's, not somebody else's."""
    files = {"secrets-engines.yaml": b'kv: {type: kv, options: {version: "2"}}\n', "paths.yaml": b"kv/config: {max_versions: 20}\n"}
    converge(make(), files)
    assert vault.data("kv/config")["max_versions"] == 20
    assert not plan(make(), files, applied=files)


def test_engines_are_left_unless_told(make: Make, vault: VaultServer) -> None:
    """What holds data is never pruned without `allow_destroy`, and then it says what is lost."""
    both = {"secrets-engines.yaml": b"one: {type: kv}\ntwo: {type: transit, config: {max_lease_ttl: 2h}}\n"}
    one = {"secrets-engines.yaml": b"one: {type: kv, description: kept}\n"}
    converge(make(), both)
    converge(make(), one, applied=both)
    assert {"one/", "two/"} <= {*vault.data("sys/mounts")}
    assert vault.data("sys/mounts")["one/"]["description"] == "kept"
    made = plan(make(allow_destroy=True), one, applied=one)
    assert [(change.name, change.destructive) for change in made] == [("engine:two", "all that is in engine:two")]
    converge(make(allow_destroy=True), one, applied=one)
    assert "two/" not in vault.data("sys/mounts")


def test_engines_that_are_left_do_not_hide_a_prune_of_all_the_rest(make: Make) -> None:
    """Failure mode 30."""
    engines = "".join(f"e{number}: {{type: kv}}\n" for number in range(8))
    files = {"secrets-engines.yaml": engines.encode(), **{f"policies/p{number}.hcl": b"# none\n" for number in range(3)}}
    converge(make(), files)
    made = plan(make(), {}, applied=files)
    assert {change.name for change in made} == {"policy:p0", "policy:p1", "policy:p2"}
    with pytest.raises(UnsafePlan, match=r"would delete everything \(3 owned\)"):
        guard(made, Limits())


def test_tuned_values_are_compared_with_what_was_set(make: Make, vault: VaultServer) -> None:
    """Failure mode 22: `tune` answers with effective lifetimes."""
    tuned = {"secrets-engines.yaml": b"t: {type: transit, config: {default_lease_ttl: 1h, max_lease_ttl: 24h}}\n"}
    plain = {"secrets-engines.yaml": b"t: {type: transit}\n"}
    converge(make(), tuned)
    assert not plan(make(), tuned, applied=tuned)
    converge(make(), plain, applied=tuned)
    config: Mapping[str, Any] = vault.data("sys/mounts")["t/"]["config"]
    assert (config["default_lease_ttl"], config["max_lease_ttl"]) == (0, 0)
    assert not plan(make(), plain, applied=plain)


@pytest.mark.parametrize("method", ["role", "method", "policy"])
def test_the_branch_the_agent_sits_on(make: Make, vault: VaultServer, tmp_path: Path, method: str) -> None:
    vault.call("POST", "sys/auth/approle", {"type": "approle"})
    vault.call("POST", "auth/approle/role/agent", {"token_policies": ["zz-agent"], "role_id": "agent"})
    told = vault.call("POST", "auth/approle/role/agent/secret-id", {})["data"]
    (tmp_path / "secret-id").write_text(told["secret_id"])
    files = {
        "role": {"paths.yaml": b"auth/approle/role/agent: {token_policies: [other]}\n"},
        "method": {"auth-methods.yaml": b"approle: {type: approle, description: other}\n"},
        "policy": {"policies/zz-agent.hcl": b'path "a" {\n  capabilities = ["deny"]\n}\n'},
    }[method]
    target = make(token_file=None, role_id="agent", secret_id_file=str(tmp_path / "secret-id"), adopt=True)
    with pytest.raises(UnsafePlan, match="which the agent's own token needs; change it by hand first"):
        plan(target, files)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"paths.yaml": b"sys/policies/acl/a: {}\n"}, "paths.yaml:1: sys/policies/acl/a has a file of its own"),
        ({"paths.yaml": b"sys/seal: {}\n"}, "paths.yaml:1: sys/seal has a file of its own, or is not for"),
        ({"paths.yaml": b"auth/token/create/a: {}\n"}, "paths.yaml:1: auth/token/create/a issues credentials"),
        ({"paths.yaml": b"consul/creds/a: {}\n"}, "paths.yaml:1: consul/creds/a issues credentials"),
        ({"paths.yaml": b"a/../b: {}\n"}, "paths.yaml:1: 'a/../b' cannot be a path of the API"),
        ({"paths.yaml": b"a/b: [1]\n"}, "paths.yaml:1: must be a mapping of names to values"),
        ({"policies/MyPol.hcl": b""}, "policies/MyPol.hcl: Vault would call it 'mypol'"),
        ({"policies/root.hcl": b""}, "policies/root.hcl: root is Vault's own policy"),
        ({"policies/a.hcl": b'pth "a" {}'}, 'policies/a.hcl:1: pth where path "…" should be'),
        ({"policies/a.hcl": b'path "a" {\n capability = ["read"]\n}'}, "policies/a.hcl:2: capability is not known here; did you"),
        (
            {"policies/a.hcl": b'path "a" {\n capabilities = ["raed"]\n}'},
            "policies/a.hcl:2: 'raed' is no capability; did you mean 'read'?",
        ),
        ({"policies/a.hcl": b'path "a" {\n capabilities = ["read"}'}, "policies/a.hcl:2: } closes nothing"),
        ({"secrets-engines.yaml": b"kv: {type: kv-v2}\n"}, "secrets-engines.yaml:1: Vault keeps kv-v2 as"),
        ({"secrets-engines.yaml": b"sys: {type: kv}\n"}, "secrets-engines.yaml:1: sys/ is not for the repository to manage"),
        (
            {"secrets-engines.yaml": b"gitops-agent: {type: kv}\n"},
            "secrets-engines.yaml:1: gitops-agent/ is not for the repository",
        ),
        ({"auth-methods.yaml": b"token: {type: token}\n"}, "auth-methods.yaml:1: token/ is not for the repository to manage"),
        ({"audit.yaml": b"file: {typ: file}\n"}, "audit.yaml:1: type is missing"),
    ],
)
def test_mistakes_name_file_and_line(make: Make, files: Files, message: str) -> None:
    """Failure mode 12."""
    with pytest.raises(InvalidRevision) as raised:
        make().parse(files)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    "policy",
    [
        b'path "a/+/b*" { capabilities = ["read", "list"] # comment }\n}\n',
        b'path "a" {\n  policy = "read"\n}\n// other\n/* and\nmore */\npath "b" { capabilities = ["deny"] }\n',
        b'path "a" {\n  capabilities = ["update"]\n  allowed_parameters = {\n    "colour" = ["red"]\n    "*" = []\n  }\n}\n',
        b'path "a" {\n  capabilities = ["update"]\n  required_parameters = ["colour"]\n  min_wrapping_ttl = "1s"\n}\n',
        b"",
    ],
)
def test_policies_that_vault_takes(make: Make, vault: VaultServer, policy: bytes) -> None:
    files = {"policies/a.hcl": policy, "policies/b.hcl": b'path "b" { capabilities = ["read"] }'}
    if policy:
        converge(make(), files)
        assert vault.policies()["a"] == policy.decode()
    make().parse(files)


@pytest.mark.parametrize(
    ("desired", "live", "alike"),
    [
        ("30m", 1800, True),
        ("1h30m", "5400s", True),
        ("3600", 3600, True),
        ("30m", 1801, False),
        (True, "true", True),
        (True, False, False),
        (None, 0, True),
        ("a,b", ["b", "a"], True),
        (["a b", "c d"], ["c d", "a b"], False),
        (["a", "b"], ["a", "b", "c"], False),
        ({"a": "30m"}, {"a": 1800, "b": ""}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ("text\n", "text", True),
        ("text", ["other"], False),
        ({"a": 1}, "a", False),
    ],
)
def test_likeness(desired: object, live: object, alike: bool) -> None:
    assert likeness.same(desired, live) is alike
