"""The thread of one environment's previews: it lists the open pull requests, looks at one at a time, and says what it saw."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

from gitops_agent.errors import AgentError, Superseded
from gitops_agent.gitea import Pull, TokenRefused
from gitops_agent.model import Revision
from gitops_agent.preview.desk import Desk
from gitops_agent.preview.queue import Queue
from gitops_agent.preview.sandbox import Sandbox
from gitops_agent.preview.validations import Validations
from gitops_agent.source import Merges
from gitops_agent.worker import EnvironmentStatus

_log = logging.getLogger(__name__)
_LOOK = 1.0
"""Seconds between looks at whether the environment did something."""
_FIRST, _LONGEST = 2.0, 300.0


class Previews:
    """`status` is the environment's: where it is not this agent's, or suspended, nothing is said. `most` of the open pull requests,
    those that changed last, are looked at; `poll` seconds lie between two lists, unless somebody rings."""

    def __init__(
        self,
        environment: str,
        desk: Desk,
        sandbox: Sandbox,
        merges: Merges,
        queue: Queue,
        status: Callable[[], EnvironmentStatus],
        *,
        poll: float,
        most: int,
        slow: float,
        validated: Callable[[Callable[[], None]], Validations] | None = None,
    ) -> None:
        """`slow`: seconds after which looking at one took longer than it should. `validated`, given what wakes the thread, makes
        what has merges validated; None where they are not."""
        self._environment = environment
        self._desk = desk
        self._sandbox = sandbox
        self._merges = merges
        self._queue = queue
        self._status = status
        self._poll = poll
        self._most = most
        self._slow = slow
        self._bell = threading.Event()
        self._stopping = threading.Event()
        self._where: tuple[Revision | None, Revision | None, str] | None = None
        self._failures = 0
        self._said = ""
        self._known: set[int] | None = None
        self._marked: set[int] = set()  # those that are said to be stale
        self._validations = validated(self.ring) if validated is not None else None
        self._thread = threading.Thread(target=self._live, name=f"previews {environment}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ring(self) -> None:
        """Something happened to a pull request. Costs nothing and never blocks."""
        self._bell.set()

    def close(self, timeout: float = 10) -> None:
        self._stopping.set()
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        if self._validations is not None:
            self._validations.leave()
        self._desk.close()
        self._merges.close()

    def _live(self) -> None:
        wait = 0.0
        while not self._stopping.is_set():
            self._sleep(wait)
            if self._stopping.is_set():
                return
            try:
                wait = self._turn() if self._may() else self._rest()
                self._failures, self._said = 0, ""
            except Superseded:
                wait = 0.0
            except Exception as error:  # noqa: BLE001 -- a bug of ours must not end the previews of this environment
                wait = self._complain(error)

    def _turn(self) -> float:
        """Looks at one of them at most; seconds until there is more to do."""
        everything = self._desk.listed()
        self._conclude({pull.number for pull in everything})
        pulls = everything[: self._most]
        pull = self._queue.next(pulls, time.monotonic())
        for other in pulls:
            why = self._queue.stale(other)
            if why and other is not pull and other.number not in self._marked:
                self._desk.mark_stale(other, why)
                self._marked.add(other.number)
                if why == "base" and self._validations is not None:
                    self._validations.stale(other)
        if pull is not None:
            self._look_at(pull)
        now = time.monotonic()
        builds = self._validations.advance(now) if self._validations is not None else self._poll
        return min(self._poll, self._queue.wait(pulls, now), builds)

    def _rest(self) -> float:
        """Nothing is said at present."""
        if self._validations is not None:
            self._validations.leave()
        return self._poll

    def _look_at(self, pull: Pull) -> None:
        began, moved = time.monotonic(), self._queue.moved
        self._queue.began(pull, began)
        self._desk.began(pull)
        applied = self._status().applied
        answer = self._sandbox.look_at(pull.number, applied.sha if applied else "", self._stop)
        took = time.monotonic() - began
        again = bool(answer.error) or answer.head not in ("", pull.head)
        well = not answer.error and took < self._slow
        self._desk.tell(pull, answer)
        if self._validations is not None:
            self._validations.want(pull, answer, self._sandbox.archive(pull.number))
        self._marked.discard(pull.number)
        self._queue.ended(pull, base=answer.base, well=well, again=again, moved=moved if answer.live else None)
        said = "failure" if answer.failure else "error" if answer.error else "success"
        extra = {"environment": self._environment, "pull request": pull.number, "head": answer.head, "outcome": said}
        _log.info("preview", extra={**extra, "seconds": round(took, 3)})

    def _conclude(self, open_: set[int]) -> None:
        """Those that are not open for this branch any more."""
        if self._known is None:
            self._known = self._merges.numbers()
        for number in sorted((self._known | self._queue.known()) - open_):
            pull = self._desk.find(number)
            if pull is not None:
                self._desk.conclude(pull)
            self._merges.forget(number)
            self._sandbox.archive(number).unlink(missing_ok=True)
        if self._validations is not None:
            self._validations.keep(open_)
        self._known = set()
        self._queue.keep(open_)
        self._marked &= open_

    def _may(self) -> bool:
        status = self._status()
        return status.ready and not status.suspended

    def _stop(self) -> None:
        if self._stopping.is_set():
            raise Superseded(None)

    def _sleep(self, seconds: float) -> None:
        """Until it rings, the environment did something, or the time is over."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._bell.wait(min(_LOOK, left)) or self._moved():
                break
        else:
            self._moved()
        self._bell.clear()

    def _moved(self) -> bool:
        """Whether the branch moved or a run changed the systems since it was asked last."""
        status = self._status()
        ended = status.message if status.current is None else ""
        where = (status.head, status.applied, ended)
        if where == self._where:
            return False
        if self._where is not None and where[1:] != self._where[1:]:
            self._queue.moved += 1
        self._where = where
        return True

    def _complain(self, error: Exception) -> float:
        """Once for each kind of trouble. Backs off."""
        self._failures += 1
        if not isinstance(error, AgentError):
            _log.exception("previews stumbled", extra={"environment": self._environment})
        elif type(error).__name__ != self._said:
            operator = isinstance(error, TokenRefused)
            extra = {"environment": self._environment, "why": str(error), "must act": error.acts}
            _log.log(logging.ERROR if operator else logging.WARNING, "previews wait, runs go on", extra=extra)
        self._said = type(error).__name__
        delay: float = min(_LONGEST, _FIRST * 2.0 ** min(self._failures - 1, 10))
        return delay * random.uniform(0.8, 1.2)  # noqa: S311 -- jitter, not a secret
