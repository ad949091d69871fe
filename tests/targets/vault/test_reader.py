"""What plans pull requests: another Vault target, with a token that can only read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_agent.errors import AgentError
from gitops_agent.targets.vault.target import Vault
from tests.conformance.converge import carry_out, converge, plan
from tests.targets.vault.conftest import ENVIRONMENT, POLICY
from tests.targets.vault.server import VaultServer

RULE = b'path "a" {\n  capabilities = ["read"]\n}\n'


def test_it_plans_like_the_other_and_cannot_write(make: Callable[..., Vault], vault: VaultServer, tmp_path: Path) -> None:
    assert make().reader() is None
    rules = re.sub(r'"(create|update|delete)",? ?', "", POLICY.read_text().replace("mini-cloud", ENVIRONMENT)).replace(", ]", "]")
    vault.call("PUT", "sys/policies/acl/only-reads", {"policy": rules.replace("[]", '["read"]')})
    token = vault.call("POST", "auth/token/create", {"policies": ["only-reads"]})["auth"]["client_token"]
    (tmp_path / "reads").write_text(str(token))
    was, wanted = {"policies/a.hcl": RULE}, {"policies/a.hcl": RULE.replace(b"read", b"list"), "policies/b.hcl": RULE}
    target = make(preview_token_file=str(tmp_path / "reads"))
    converge(target, was)
    reader = target.reader()
    assert isinstance(reader, Vault)
    assert not plan(reader, was, applied=was)
    proposed = plan(reader, wanted, applied=was)
    assert proposed.text() == plan(target, wanted, applied=was).text()
    with pytest.raises(AgentError):
        list(carry_out(reader, proposed))
    assert "list" not in vault.policies()["a"]
    assert "b" not in vault.policies()
    reader.close()
