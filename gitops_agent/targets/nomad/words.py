"""Nomad's plans and placement failures in words for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Object = Mapping[str, Any]
"""As the API has it."""


class Difference(NamedTuple):
    """One field that a plan would change: `group web: task web: Config.image`. `old` and `new` are None where it is absent."""

    path: str
    old: str | None
    new: str | None


def differences(diff: Object) -> Iterator[Difference]:
    """What is not equal in a plan's Diff; it lists much that is."""
    yield from _fields(diff, "", "")
    for group in diff.get("TaskGroups") or []:
        here = f"group {group['Name']}: "
        if group.get("Type") in ("Added", "Deleted"):
            yield _whole(group["Type"], here.removesuffix(": "))
            continue
        yield from _fields(group, here, "")
        for task in group.get("Tasks") or []:
            if task.get("Type") in ("Added", "Deleted"):
                yield _whole(task["Type"], f"{here}task {task['Name']}")
            else:
                yield from _fields(task, f"{here}task {task['Name']}: ", "")


def _whole(kind: str, path: str) -> Difference:
    return Difference(path, None, "is new") if kind == "Added" else Difference(path, "is there", None)


def _fields(thing: Object, where: str, path: str) -> Iterator[Difference]:
    for field in thing.get("Fields") or []:
        kind = field["Type"]
        if kind != "None":
            old = None if kind == "Added" else field["Old"]
            yield Difference(f"{where}{path}{field['Name']}", old, None if kind == "Deleted" else field["New"])
    for inner in thing.get("Objects") or []:
        if inner["Type"] != "None":
            yield from _fields(inner, where, f"{path}{inner['Name']}.")


def unplaced(failed: Mapping[str, Object] | None) -> str:
    """`FailedTGAllocs`: why Nomad finds no node, by group; empty when it finds one."""
    return "; ".join(f"group {group} cannot be placed: {_why(metric)}" for group, metric in (failed or {}).items())


def _why(metric: Object) -> str:
    if not metric.get("NodesInPool", 1) or not any((metric.get("NodesAvailable") or {"": 1}).values()):
        return "no node is ready in its node pool and datacenters"
    reasons = [f"{count} without {what}" for what, count in (metric.get("ConstraintFiltered") or {}).items()]
    reasons += [f"{count} too short of {what}" for what, count in (metric.get("DimensionExhausted") or {}).items()]
    reasons += [f"{count} of class {what} excluded" for what, count in (metric.get("ClassFiltered") or {}).items()]
    reasons += [f"quota reached: {what}" for what in metric.get("QuotaExhausted") or []]
    return f"of {metric.get('NodesEvaluated', 0)} nodes {', '.join(reasons) or 'none fits'}"
