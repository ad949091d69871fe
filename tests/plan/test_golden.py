"""Plans as people read them: a case is `tests/golden/plan/<case>.yaml`, what is printed stands beside it in `<case>.txt`.

A case has `desired`, `observed` and `applied` (lists of resources: `name`, `spec`, and where it matters `version`, `owned`,
`destructive`), `options` of `compare`, `max_delete_percent`, `consent`, `secrets` and `applied_secrets` (values by reference).
In specs `<file:NAME>` and `<file:NAME json>` are references.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_agent.errors import UnsafePlan
from gitops_agent.model import Resource, State
from gitops_agent.plan import Limits, Plan, compare, guard
from gitops_agent.secret import Secret, placeholder, resolve
from tests.goldens import GOLDEN, assert_golden

KEY = b"k" * 32
CASES = sorted((GOLDEN / "plan").glob("*.yaml"))


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_plan(path: Path) -> None:
    case = yaml.safe_load(path.read_text())
    plan = _plan(case)
    printed = plan.text() + _verdict(plan, case)
    for value in {*case.get("secrets", {}).values(), *case.get("applied_secrets", {}).values()}:
        assert value not in printed
        assert value not in json.dumps(plan.to_json(), ensure_ascii=False)
    assert_golden(path.with_suffix(".txt"), printed)


def test_every_text_has_its_case() -> None:
    assert {path.stem for path in (GOLDEN / "plan").glob("*.txt")} == {path.stem for path in CASES}


def _plan(case: Mapping[str, Any]) -> Plan:
    secrets = case.get("secrets", {})
    before = _state(case["applied"], {**secrets, **case.get("applied_secrets", {})}) if "applied" in case else None
    plan = compare(
        "kv",
        _state(case.get("desired", []), secrets),
        _state(case.get("observed", []), {}),
        applied=lambda: before,
        **case.get("options", {}),
    )
    destructive = {entry["name"]: entry.get("destructive", "") for entry in case.get("desired", [])}
    return replace(plan, changes=tuple(replace(change, destructive=destructive.get(change.name, "")) for change in plan))


def _state(entries: list[dict[str, Any]], secrets: Mapping[str, str]) -> State:
    resources = [
        Resource(entry["name"], _referring(entry["spec"]), version=entry.get("version", ""), owned=entry.get("owned", True))
        for entry in entries
    ]
    return resolve(State.of(*resources), KEY, secrets.__getitem__, ["*"])


def _referring(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _referring(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_referring(item) for item in value]
    if isinstance(value, str):
        return re.sub(r"<(file:\w+) ?(\w*)>", lambda match: placeholder(Secret(match[1], match[2]), KEY), value)
    return value


def _verdict(plan: Plan, case: Mapping[str, Any]) -> str:
    consent = [plan.digest] if case.get("consent") else []
    try:
        guard(plan, Limits(case.get("max_delete_percent", 30)), consent)
    except UnsafePlan as error:
        return f"refused: {error}\n"
    return ""
