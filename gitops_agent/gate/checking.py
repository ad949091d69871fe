"""One validation under way: a thread that starts a build, follows it, says what becomes of it, and keeps what it came to."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from gitops_agent.concourse import Builds, BuildStatus, Verdict
from gitops_agent.errors import AgentError, GateClosed, InvalidRevision, Retry, Unavailable
from gitops_agent.gate.patience import Patience
from gitops_agent.model import CommitStatus, Revision, StatusState

Say: TypeAlias = Callable[[CommitStatus], None]

CONTEXT = "concourse/validate"
"""Of the commit status that links the build."""

_log = logging.getLogger(__name__)
_LOOK = 0.2
"""Seconds between looks whether the run shall end."""


class Aborted(GateClosed):
    """Somebody aborted the build: another one is not started against their will; `sync` does."""

    retry: ClassVar[Retry] = Retry.NEVER_FOR_THIS_REVISION
    acts = "operator"


@dataclass(frozen=True)
class Begun:
    """A build that was started, by its number and when, on the monotonic clock."""

    number: int
    at: float


class Checking:
    """`say` is called from the thread. `begun` is a build of that commit that was lost from sight."""

    def __init__(
        self,
        revision: Revision,
        plan: Mapping[str, Any],
        deadline: float,
        say: Say,
        borrow: Callable[[], Builds],
        give_back: Callable[[Builds], None],
        begun: Begun | None,
    ) -> None:
        self.revision = revision
        self._begun = begun
        self._plan = plan
        self._deadline = deadline
        self._say = say
        self._borrow = borrow
        self._give_back = give_back
        self._url = ""
        self._error: AgentError | None = None
        self._lost = False
        self._over = threading.Event()
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"validate {revision.short}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def going(self) -> bool:
        return not self._over.is_set() and not self._abandoned.is_set()

    @property
    def good(self) -> bool:
        return self._over.is_set() and self._error is None and not self._abandoned.is_set()

    @property
    def cut_off(self) -> Begun | None:
        """The build, where Concourse went away while it ran: it may well go on, or be over by now. Not once its time is over."""
        lost = self._over.is_set() and self._lost
        return self._begun if lost and self._begun and time.monotonic() < self._begun.at + self._deadline else None

    def wait(self, patience: Patience) -> None:
        """Returns when the commit was found good. Raises InvalidRevision when it was not, Aborted, and Unavailable when Concourse
        could not do it, or not in time."""
        while not self._over.wait(_LOOK):
            patience.stop()
        if self._error is not None:
            raise self._error

    def abandon(self) -> None:
        """Nobody waits for it any more: the build is aborted, and nothing more is said."""
        self._abandoned.set()

    def _run(self) -> None:
        try:
            self._error = self._follow()
        except AgentError as error:
            self._error, self._lost = error, True
            self._tell(StatusState.ERROR, str(error))
        except Exception as error:  # noqa: BLE001 -- a run waits for this thread
            _log.exception("a bug of ours", extra={"revision": str(self.revision)})
            self._error = Unavailable(f"internal error in validation: {type(error).__name__}")
            self._tell(StatusState.ERROR, str(self._error))
        finally:
            self._over.set()

    def _follow(self) -> AgentError | None:
        builds = self._borrow()
        try:
            build = builds.start(self._plan) if self._begun is None else builds.find(self._begun.number)
            begun = self._begun = self._begun or Begun(build.number, time.monotonic())
            self._url = build.url
            self._tell(StatusState.PENDING, f"build {build.number} runs")
            verdict = build.follow(self._abandoned.is_set, max(0.0, begun.at + self._deadline - time.monotonic()))
        finally:
            self._give_back(builds)
        if verdict.good:
            self._tell(StatusState.SUCCESS, f"found good in {time.monotonic() - begun.at:.1f} s")
            return None
        error = self._judge(verdict, build.number)
        state = StatusState.FAILURE if isinstance(error, InvalidRevision) else StatusState.ERROR
        self._tell(state, str(error).removeprefix("validation: "))
        return error

    def _judge(self, verdict: Verdict, number: int) -> AgentError:
        """What a build that is not good means for the run."""
        if verdict.overdue:
            why = "" if verdict.log else ": it printed nothing; is there a worker?"
            return Unavailable(f"validation: build {number} was given up after {self._deadline:g} s{why}")
        if verdict.status is BuildStatus.FAILED:
            last = verdict.log.strip().rpartition("\n")[2].strip()
            return InvalidRevision(f"validation: build {number} failed: {last or verdict.reason or 'it says no more'}")
        if verdict.status is BuildStatus.ABORTED:
            return Aborted(f"validation: build {number} was aborted")
        return Unavailable(f"validation: build {number} {verdict.status}: {verdict.reason or 'Concourse does not say why'}")

    def _tell(self, state: StatusState, text: str) -> None:
        if not self._abandoned.is_set():
            self._say(CommitStatus(self.revision.sha, CONTEXT, state, text, self._url))
