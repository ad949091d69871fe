"""One validation under way: a thread that starts a build, follows it, says what becomes of it, and keeps what it came to."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from gitops_agent.concourse import Build, Builds, BuildStatus, Forgotten, Plan, RoleMissing, Verdict
from gitops_agent.errors import AgentError, ApplyFailed, GateClosed, InvalidRevision, Retry, Unavailable
from gitops_agent.gate.begun import Begun, BegunBuilds
from gitops_agent.gate.patience import Patience
from gitops_agent.gate.task_file import TaskFile
from gitops_agent.model import CommitStatus, StatusState
from gitops_agent.secret import mask

Say: TypeAlias = Callable[[CommitStatus], None]
Lend: TypeAlias = Callable[[], AbstractContextManager[Builds]]

CONTEXT = "concourse/validate"
"""Of the commit status that links the build."""

_log = logging.getLogger(__name__)
_LOOK = 0.2
"""Seconds between looks whether the run shall end."""
_LEAST = 5.0
"""Seconds for a build that was begun before a restart and whose time is over: what it came to can still be read."""


class Aborted(GateClosed):
    """Somebody aborted the build: another one is not started against their will; `sync` does."""

    retry: ClassVar[Retry] = Retry.NEVER_FOR_THIS_REVISION
    acts = "operator"


class _Left(Exception):
    """The agent stops, and the build goes on."""


@dataclass(frozen=True)
class Subject:
    """What is judged: `name` tells it from everything else, `sha` is the commit that the status `context` is said of, and `key`
    what its builds are kept under. `archive` is called in the thread, where it may take a while. `pinned`, where there is one, is
    what a Concourse does that takes no one-off builds, in a pipeline of the name that comes with it."""

    name: str
    key: str
    sha: str
    context: str
    archive: Callable[[], bytes]
    task: TaskFile
    pinned: tuple[Plan, str] | None = None


class Checking:
    """`say` is called from the thread, and `ended` at its end; `lend` gives it a session of its own; `deadline` is in seconds. What
    a build printed is said as `hide` leaves it."""

    def __init__(
        self,
        subject: Subject,
        deadline: float,
        say: Say,
        lend: Lend,
        begun: BegunBuilds,
        hide: Callable[[str], str] = mask,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self.subject = subject
        self._deadline = deadline
        self._say = say
        self._lend = lend
        self._begun = begun
        self._hide = hide
        self._ended = ended
        self._url = ""
        self._error: AgentError | None = None
        self._over = threading.Event()
        self._abandoned = threading.Event()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"validate {subject.name[:10]}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def going(self) -> bool:
        return not self._over.is_set() and not self._abandoned.is_set() and not self._left.is_set()

    @property
    def good(self) -> bool:
        return self._over.is_set() and self._error is None and not self._abandoned.is_set() and not self._left.is_set()

    @property
    def again(self) -> bool:
        """Whether it came to no verdict, by nobody's will."""
        return self._over.is_set() and self._error is not None and self._error.retry is Retry.BACKOFF

    def wait(self, patience: Patience) -> None:
        """Returns when it was found good. Raises InvalidRevision when it was not, Aborted, and Unavailable when Concourse could not
        do it, or not in time."""
        self.wait_for_end(patience)
        if self._error is not None:
            raise self._error

    def wait_for_end(self, patience: Patience) -> None:
        """Returns when all was said."""
        while not self._over.wait(_LOOK):
            patience.stop()

    def abandon(self) -> None:
        """Nobody waits for it any more: the build is aborted, and nothing more is said."""
        self._abandoned.set()

    def leave(self) -> None:
        """Nothing more is said for now, and the build goes on: whoever asks for the same next goes on with it."""
        self._left.set()

    def _run(self) -> None:
        try:
            self._error = self._follow()
        except _Left:
            pass
        except AgentError as error:
            self._error = error
            self._tell(StatusState.ERROR, str(error))
        except Exception as error:  # noqa: BLE001 -- a run waits for this thread
            _log.exception("a bug of ours", extra={"validating": self.subject.name})
            self._error = Unavailable(f"internal error in validation: {type(error).__name__}")
            self._tell(StatusState.ERROR, str(self._error))
        finally:
            self._over.set()
            self._ended()

    def _follow(self) -> AgentError | None:
        with self._lend() as builds:
            try:
                build, since, resumed = self._build(builds)
                self._url = build.url
                self._tell(StatusState.PENDING, f"build {build.number} runs")
                limit = max(_LEAST, since + self._deadline - time.time())
                verdict = build.follow(self._stop, limit, hide=self._hide)
            except Forgotten:
                self._begun.forget(self.subject.key)
                raise
        error = None if verdict.good else self._judge(verdict, build.number)
        if error is None:
            self._tell(StatusState.SUCCESS, "found good" if resumed else f"found good in {time.time() - since:.1f} s")
        else:
            state = StatusState.FAILURE if isinstance(error, InvalidRevision) else StatusState.ERROR
            self._tell(state, str(error).removeprefix("validation: "))
        self._begun.conclude(self.subject.key, build.number)
        return error

    def _build(self, builds: Builds) -> tuple[Build, float, bool]:
        """The one that was begun already, or a new one; when it began, and which of the two it is."""
        known = self._begun.last(self.subject.key)
        if known is not None and not known.over:
            found = builds.find(known.number)
            if known.subject == self.subject.name:
                return found, known.at, True
            with suppress(AgentError):  # it is of what was overtaken while no agent ran
                found.abort()
        build = self._start(builds)
        since = time.time()
        if not self._abandoned.is_set():  # or it might take the place of its successor
            self._begun.keep(self.subject.key, Begun(self.subject.name, build.number, since))
        return build, since, False

    def _start(self, builds: Builds) -> Build:
        try:
            return builds.start(self.subject.task.on(self.subject.archive(), builds.upload))
        except (RoleMissing, ApplyFailed) as error:  # an operator may keep one-off builds to owners, and some versions know none
            if self.subject.pinned is None:
                raise
            _log.info("one-off build refused, the pinned job is taken", extra={"why": str(error)})
            return builds.start_pinned(*self.subject.pinned)

    def _stop(self) -> bool:
        if self._left.is_set():
            raise _Left
        return self._abandoned.is_set()

    def _judge(self, verdict: Verdict, number: int) -> AgentError:
        """What a build that is not good means for whoever waits."""
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
        if not self._abandoned.is_set() and not self._left.is_set():
            self._say(CommitStatus(self.subject.sha, self.subject.context, state, text, self._url))
