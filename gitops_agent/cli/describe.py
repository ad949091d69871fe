"""Environments, runs and plans as people read them in a terminal. Takes the nouns as the API's JSON has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gitops_agent import moments

_GOOD, _BAD = "green", "bold red"
_STYLES = {
    **dict.fromkeys(("success", "ok", "create"), _GOOD),
    **dict.fromkeys(("running", "adopt"), "cyan"),
    **dict.fromkeys(("update", "suspended", "drifted", "unreachable", "waiting"), "yellow"),
    **dict.fromkeys(("awaiting", "awaiting approval"), "magenta"),
    **dict.fromkeys(("superseded", "skipped"), "dim"),
    **dict.fromkeys(("failure", "error", "failed", "refuse"), _BAD),
    "delete": "red",
}
_SIGNS = {"create": "+", "update": "~", "delete": "-", "adopt": "=", "refuse": "!"}
_MARKS = {
    **dict.fromkeys(("success", "ok"), "✓"),
    **dict.fromkeys(("failure", "error", "failed"), "✗"),
    "running": "…",
    "awaiting": "?",
    "superseded": "→",
    "skipped": "–",
}


def environment(status: Mapping[str, Any]) -> RenderableType:
    """Name and state, revisions, then a line a target."""
    state = _state(status)
    facts = _table()
    applied, head = status["last_applied_revision"], status["head"]
    facts.add_row("applied", _revision(applied) if applied else "nothing yet")
    if head and head != applied:
        facts.add_row("head", _revision(head))
    for name, text in (("waiting", status["waiting"]), ("source", status["fetch_error"]), ("last run", status["message"])):
        if text:
            facts.add_row(name, Text(text))
    if status["next_attempt"]:
        facts.add_row("next look", moments.ago(_moment(status["next_attempt"])))
    targets = _table()
    for target in status["targets"]:
        word = "drifted" if target["drift"] else target["outcome"]
        targets.add_row(_mark(word), target["name"], Text(target["kind"], "dim"), Text(target["message"]))
    title = Text.assemble((status["name"], "bold"), "  ", (state, _STYLES.get(state, "")))
    return Group(title, Padding(facts, (0, 0, 0, 2)), Padding(targets, (0, 0, 1, 2)))


def runs(found: list[dict[str, Any]], *, environments: bool) -> RenderableType:
    """A line a run."""
    table = _table()
    for name in ("", "RUN", *(["ENVIRONMENT"] if environments else []), "WHEN", "TOOK", "TRIGGER", "COMMIT", "OUTCOME"):
        table.add_column(Text(name, "dim"), no_wrap=name not in ("COMMIT", "OUTCOME"))
    table.show_header = True
    for each in found:
        environment = [each["environment"]] if environments else []
        said = Text(each["message"] or _word(each))
        table.add_row(
            _mark(_word(each)), each["id"], *environment, moments.ago(_moment(each["started"])), _took(each),
            Text(each["trigger"]), Text(each["revision"]["sha"][:10]), said,
        )  # fmt: skip
    return table


def run(found: Mapping[str, Any], *, diffs: bool = True) -> RenderableType:
    """Everything about one run."""
    word = _word(found)
    facts = _table()
    for name, text in (
        ("commit", _revision(found["revision"])),
        ("trigger", found["trigger"]),
        ("began", f"{moments.clock(_moment(found['started']))} ({moments.ago(_moment(found['started']))})"),
        ("took", _took(found)),
        ("page", found["url"]),
    ):
        facts.add_row(name, text)
    steps = _table()
    for step in found["steps"]:
        seconds = _moment(step["ended"]) - _moment(step["started"])
        steps.add_row(_mark(step["outcome"]), step["name"], Text(moments.duration(seconds), justify="right"), Text(step["detail"]))
    title = Text.assemble(
        (found["environment"], "bold"), f" {found['id']}  ", (word, _STYLES.get(word, "")), "  ", found["message"]
    )
    return Group(
        title, Padding(facts, (0, 0, 1, 2)), Padding(steps, (0, 0, 1, 2)), *(plan(each, diffs=diffs) for each in found["plans"])
    )


def plan(found: Mapping[str, Any], *, diffs: bool = True) -> RenderableType:
    """`Plan.to_json()` with its diffs, coloured."""
    return Group(*_plan_lines(found, diffs=diffs), Text())


def _plan_lines(found: Mapping[str, Any], *, diffs: bool) -> Iterator[Text]:
    yield Text.assemble((found["target"], "bold"), f": {found['summary']} ", (f"(plan {found['digest']})", "dim"))
    for change in found["changes"]:
        style = _STYLES[change["action"]]
        lost = f"  DESTROYS {change['destructive']}" if change["destructive"] else ""
        lost += f"  NEEDS APPROVAL: {change['held']}" if change.get("held") else ""
        head = (f"{_SIGNS[change['action']]} {change['action']:<6} ", style)
        yield Text.assemble("  ", head, change["name"], (f"  {change['reason']}", "dim"), (lost, "bold red"))
        for line in change["diff"].splitlines() if diffs else ():
            yield Text(f"      {line}".rstrip(), {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "dim"))


def _state(status: Mapping[str, Any]) -> str:
    if status["suspended"]:
        return "suspended"
    if status["current"]:
        return "running"
    if status["fetch_error"]:
        return "unreachable"
    if status["waiting"]:
        return "waiting"
    if status["awaiting"]:
        return "awaiting approval"
    if status["outcome"] == "success" and status["drift"]:
        return "drifted"
    return status["outcome"] or "no run yet"


def _word(run: Mapping[str, Any]) -> str:
    return str(run["outcome"] or "running")


def _mark(word: str) -> Text:
    return Text(_MARKS.get(word, "!" if word else "·"), _STYLES.get(word, "dim"))


def _revision(revision: Mapping[str, str]) -> Text:
    return Text.assemble((revision["sha"][:10], "yellow"), f" {revision['subject']}", (f"  {revision['author']}", "dim"))


def _took(run: Mapping[str, Any]) -> str:
    return moments.duration(_moment(run["ended"]) - _moment(run["started"])) if run["ended"] else ""


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _table() -> Table:
    return Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
