"""What is worth telling people who do not look: that something went wrong, once, and that it is well again. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from gitops_agent.model import Outcome, Run
from gitops_agent.report.describe import describe


@dataclass(frozen=True)
class Told:
    """What people know to be wrong: the shas of the commit that did not work out, of the one that drift could not be healed to, and
    of the one that awaits approval; empty where nothing is."""

    commit: str = ""
    drift: str = ""
    awaiting: str = ""


@dataclass(frozen=True)
class News:
    """One message. `good` is only for how it looks."""

    title: str
    body: str
    good: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def after(told: Told, run: Run) -> Told:
    """What people should know after this run. The same failure again changes nothing (failure mode 57); success does only where
    something was wrong with what has now succeeded."""
    sha = run.revision.sha
    if run.outcome in (Outcome.FAILURE, Outcome.ERROR):
        return replace(told, drift=sha) if run.drift else Told(commit=sha)
    if run.outcome is Outcome.AWAITING:
        return replace(told, awaiting=sha)
    if run.outcome is not Outcome.SUCCESS:  # superseded: its successor will tell
        return told
    if not run.drift:
        return Told()
    # Held at what was applied, while the branch's head is no good: that is no recovery.
    return Told(commit="" if told.commit == sha else told.commit, awaiting="" if told.awaiting == sha else told.awaiting)


def telling(told: Told, known: Told, run: Run, url: str) -> News | None:
    """The message for people who know `told`, where `known` is the case now; None when there is nothing to tell."""
    revision = f"{run.revision.branch} {run.revision.short} {run.revision.subject} ({run.revision.author})"
    if known.awaiting not in ("", told.awaiting):
        word, good = "awaits approval", True
    elif known.commit not in ("", told.commit) or known.drift not in ("", told.drift):
        word, good = str(run.outcome), False
    elif (told.commit or told.drift) and not (known.commit or known.drift):
        word, good = "recovered", True
    else:
        return None
    drift = "while healing drift: " if run.drift and not good else ""
    body = "\n".join(describe(line) for line in (f"{drift}{run.message}", revision, url))
    return News(describe(f"{run.environment}: {word}"), body, good)
