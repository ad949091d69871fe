"""One validation under way: a thread that starts a build, follows it, says what becomes of it, and keeps what it came to."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from gitops_agent.concourse import Build, Builds, BuildStatus, RoleMissing, Verdict
from gitops_agent.errors import AgentError, ApplyFailed, GateClosed, InvalidRevision, Retry, Unavailable
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


@dataclass(frozen=True)
class Terms:
    """`git` is the source of a git resource, as Concourse's workers reach the repository; `task` the task file's path; `deadline`
    the seconds for one build. Not `required`: the result is said, and stops nothing. `pipeline` is the name of one that is made
    where one-off builds are refused."""

    task: str
    git: Mapping[str, Any] = field(repr=False)
    deadline: float
    required: bool
    pipeline: str


class Checking:
    """`say` is called from the thread, `lend` gives it a session of its own. `begun` is a build of that commit that was lost from
    sight."""

    def __init__(
        self,
        revision: Revision,
        plan: Mapping[str, Any],
        terms: Terms,
        say: Say,
        lend: Callable[[], AbstractContextManager[Builds]],
        begun: Begun | None,
    ) -> None:
        self.revision = revision
        self._plan = plan
        self._terms = terms
        self._say = say
        self._lend = lend
        self._begun = begun
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
        return self._begun if lost and self._begun and time.monotonic() < self._begun.at + self._terms.deadline else None

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
        with self._lend() as builds:
            build = self._start(builds) if self._begun is None else builds.find(self._begun.number)
            begun = self._begun = self._begun or Begun(build.number, time.monotonic())
            self._url = build.url
            self._tell(StatusState.PENDING, f"build {build.number} runs")
            verdict = build.follow(self._abandoned.is_set, max(0.0, begun.at + self._terms.deadline - time.monotonic()))
        if verdict.good:
            self._tell(StatusState.SUCCESS, f"found good in {time.monotonic() - begun.at:.1f} s")
            return None
        error = self._judge(verdict, build.number)
        state = StatusState.FAILURE if isinstance(error, InvalidRevision) else StatusState.ERROR
        self._tell(state, str(error).removeprefix("validation: "))
        return error

    def _start(self, builds: Builds) -> Build:
        try:
            return builds.start(self._plan)
        except (RoleMissing, ApplyFailed) as error:  # an operator may keep one-off builds to owners, and some versions know none
            _log.info("one-off build refused, the pinned job is taken", extra={"why": str(error)})
            return builds.start_pinned(self._plan, self._terms.pipeline)

    def _judge(self, verdict: Verdict, number: int) -> AgentError:
        """What a build that is not good means for the run."""
        if verdict.overdue:
            why = "" if verdict.log else ": it printed nothing; is there a worker?"
            return Unavailable(f"validation: build {number} was given up after {self._terms.deadline:g} s{why}")
        if verdict.status is BuildStatus.FAILED:
            last = verdict.log.strip().rpartition("\n")[2].strip()
            return InvalidRevision(f"validation: build {number} failed: {last or verdict.reason or 'it says no more'}")
        if verdict.status is BuildStatus.ABORTED:
            return Aborted(f"validation: build {number} was aborted")
        return Unavailable(f"validation: build {number} {verdict.status}: {verdict.reason or 'Concourse does not say why'}")

    def _tell(self, state: StatusState, text: str) -> None:
        if not self._abandoned.is_set():
            self._say(CommitStatus(self.revision.sha, CONTEXT, state, text, self._url))
