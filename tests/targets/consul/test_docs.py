"""The examples of the page are folders that the target takes."""

from __future__ import annotations

import re
from pathlib import Path

from gitops_agent import secret
from gitops_agent.secret import Secret
from tests.conftest import ROOT
from tests.targets.consul.test_keys import folder

_BLOCK = re.compile(r"^```(?:yaml|hcl)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"^# (\S+\.(?:yaml|hcl))\n", re.MULTILINE)


def test_every_example_is_understood() -> None:
    target = folder()
    page = (ROOT / "docs/targets/consul.md").read_text()
    reference = secret.placeholder(Secret("file:any"), target.site.key)
    page = re.sub(r"\{\{ secret\(.*?\) \}\}", reference, page)
    files: dict[str, bytes] = {}
    for block in _BLOCK.findall(page):
        _, *parts = _FILE.split(block if block.startswith("# ") else f"# kv.yaml\n{block}")
        files |= {name: text.encode() for name, text in zip(parts[::2], parts[1::2], strict=True)}
    assert set(files) == {
        *("kv.yaml", "policies/web.hcl", "roles.yaml", "tokens.yaml", "auth-methods.yaml", "binding-rules.yaml"),
        *("config-entries/web.yaml", "nodes.yaml"),
    }
    state = target.parse(files)
    assert state.resources["kv:mini/app/ports"].spec == {"value": "[80, 443]"}
    assert {name.partition(":")[0] for name in state.resources} == {
        *("kv", "policy", "role", "token", "auth-method", "binding-rule", "config", "node")
    }


def test_the_policies_are_what_the_rules_allow() -> None:
    from gitops_agent.targets.consul.rules import check

    for path in Path(ROOT / "docs/targets").glob("consul-policy*.hcl"):
        check(path.name, path.read_text())
