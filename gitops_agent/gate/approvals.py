"""Approval of exactly one plan, by its digest. One file in the environment's directory: it survives restarts, and nothing else."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gitops_agent.errors import AwaitingApproval, Refused, Unavailable
from gitops_agent.model import Action, Change, Revision
from gitops_agent.plan import Plan

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """What somebody is asked to approve: the plans of one run for one commit."""

    digest: str
    sha: str
    aims: tuple[str, ...]
    """A digest of what each change aims at: tells what is left of an approved plan from what is not part of it."""
    begun: bool = False
    """Whether it was approved and then begun."""

    @classmethod
    def of(cls, revision: Revision, plans: Sequence[Plan]) -> Asked:
        whole = "\n".join([revision.sha, *(plan.digest for plan in plans)])
        aims = tuple(_aim(plan.target, change) for plan in plans for change in plan)
        return cls(hashlib.sha256(whole.encode()).hexdigest()[:12], revision.sha, aims)

    def covers(self, other: Asked) -> bool:
        """The same plan; or, once it was begun, what is left of it: who approved the whole is not asked for the rest again after a
        crash or a failure."""
        if self.digest == other.digest:
            return True
        return self.begun and self.sha == other.sha and set(other.aims) <= set(self.aims)


def _aim(target: str, change: Change) -> str:
    """Without where it starts from: a write that was cut short may have left anything there."""
    action = Action.DELETE if change.action is Action.DELETE else Action.UPDATE
    return f"{Plan(target, (replace(change, action=action, before=None),)).digest} {change.held}".strip()


class Approvals:
    """Of one environment. The worker checks, begins and ends; any thread may give."""

    def __init__(self, environment: str, directory: Path, *, manual: bool) -> None:
        """`manual`: every plan that writes needs approval; otherwise only what is held."""
        self._environment = environment
        self._file = directory / "approval.json"
        self._manual = manual
        self._lock = threading.Lock()
        self._asked: Asked | None = None
        self._expected = ""

    def needed(self, plans: Sequence[Plan], *, whole: bool) -> str:
        """Why these plans need approval; empty where they do not. Bringing back what was applied (not `whole`) is what was approved
        before: then only what is held is asked for."""
        held = [plan.held for plan in plans if plan.held]
        if held:
            return "; ".join(held)
        return "every plan does" if whole and self._manual and any(plan.writes for plan in plans) else ""

    def check(self, revision: Revision, plans: Sequence[Plan], why: str) -> None:
        """Returns when these very plans are approved, and remembers that they are begun. Raises AwaitingApproval."""
        asked = Asked.of(revision, [plan for plan in plans if plan])
        given = self._given()
        if asked.digest == self._expected:
            given = asked
        if given is not None and given.covers(asked):
            self._keep(replace(given, begun=True))
            return
        self._asked = asked
        reason = f" ({why})" if any(plan.held for plan in plans) else ""
        raise AwaitingApproval(
            f"awaits approval{reason}: gitops-agent approve {self._environment} {asked.digest}", digest=asked.digest
        )

    def give(self, digest: str) -> None:
        """Approves the plan that waits. Raises Refused when no plan waits, or another one."""
        asked = self._asked
        if asked is None:
            raise Refused(f"no plan of {self._environment} awaits approval")
        if digest != asked.digest:
            raise Refused(f"{digest} is not the plan that awaits approval in {self._environment}: that is {asked.digest}")
        self._keep(asked)

    def expect(self, digest: str) -> None:
        """Approves the plan with this digest before it is made: for a single run by hand, where nobody can be asked in between."""
        self._expected = digest

    def withdraw(self) -> None:
        """Nothing is asked for any more: another run has begun."""
        self._asked = None

    def forget(self) -> None:
        """The plan was carried out: an approval is for once."""
        with self._lock:
            self._file.unlink(missing_ok=True)

    def _given(self) -> Asked | None:
        try:
            with self._lock:
                known = json.loads(self._file.read_text())
            return Asked(known["digest"], known["sha"], tuple(known["aims"]), known["begun"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("an approval cannot be read; it is asked for again", extra={"file": str(self._file), "why": str(error)})
            return None

    def _keep(self, given: Asked) -> None:
        staged = self._file.with_suffix(".new")
        try:
            with self._lock:
                staged.write_text(json.dumps(asdict(given)))
                staged.replace(self._file)
        except OSError as error:
            raise Unavailable(f"the approval cannot be kept in {self._file}: {error.strerror}") from None
