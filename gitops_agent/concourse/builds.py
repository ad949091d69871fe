"""One-off builds: a plan handed to Concourse starts at once, pinned to the very commit, with no scheduler, no discovery of versions
and no waiting for ever for one that a resource never finds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from gitops_agent.api import Answer
from gitops_agent.concourse.events import Log, events
from gitops_agent.concourse.pinned import PinnedJob
from gitops_agent.concourse.plans import Plan
from gitops_agent.concourse.session import Session
from gitops_agent.errors import Unavailable
from gitops_agent.secret import mask

_FIRST, _SHARE, _SHORTEST, _LONGEST = 0.4, 0.05, 0.05, 1.0
"""How long a build may say nothing until its status is asked for, in seconds: at first, while its container is made; then a share
of the time that it has been followed, and the limits of that. Concourse wakes those who read events twice a second only, and knows
that a build has ended at once."""


class BuildStatus(StrEnum):
    PENDING = "pending"
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """A task said no."""
    ERRORED = "errored"
    """Concourse could not do it: no worker, no image, no repository."""
    ABORTED = "aborted"

    @property
    def ended(self) -> bool:
        return self not in (BuildStatus.PENDING, BuildStatus.STARTED)


@dataclass(frozen=True)
class Verdict:
    """How a build ended, or was when it was given up: then `stopped` or `overdue` is true, the status may be `started` or
    `pending`, and Concourse has been asked to abort it."""

    status: BuildStatus
    reason: str
    """One line of Concourse's: `exit status 3`, `no worker …`; may be empty."""
    log: str
    """The last lines that were printed. Masked, as `reason` is, unless `follow` was told otherwise."""
    stopped: bool = False
    overdue: bool = False

    @property
    def good(self) -> bool:
        return self.status is BuildStatus.SUCCEEDED


class Forgotten(Unavailable):
    """Concourse knows the build no longer."""


class Builds:
    """The one-off builds of a team; with a pipeline they are listed with it and its `((vars))` are looked up for them. They run
    also while the pipeline is paused. Takes role `member` in the team; aborting is `pipeline-operator`, which a member is."""

    def __init__(self, session: Session, team: str = "main", pipeline: str = "") -> None:
        self._session = session
        self._team = team
        self._where = f"/teams/{quote(team, safe='')}" + (f"/pipelines/{quote(pipeline, safe='')}" if pipeline else "")
        self._named = f"pipeline {team}/{pipeline}" if pipeline else f"team {team}"
        self._role = f"role member in team {team}"
        self._address = ""

    def upload(self, archive: bytes) -> int:
        """Sends files (see `archive.packed`) to a worker, as `fly execute` does; a number for `plans.uploaded`. Concourse keeps
        them for twelve hours. Raises Unavailable, also where there is no worker to take them."""
        headers = {"Content-Type": "application/octet-stream"}
        path = f"/teams/{quote(self._team, safe='')}/artifacts"
        answer = self._session.call("POST", path, needs=self._role, data=archive, params={"platform": "linux"}, headers=headers)
        return int(_object(answer)["id"])

    def start(self, plan: Plan) -> Build:
        """Starts it. Raises Unavailable, also where the pipeline does not exist, and ApplyFailed for a plan that is none."""
        answer = self._session.call("POST", f"{self._where}/builds", needs=self._role, json=plan, accept=(404,))
        if answer.status == 404:
            raise Unavailable(f"concourse has no {self._named}, of which a build was to be started")
        return self.find(int(_object(answer)["id"]))

    def start_pinned(self, plan: Plan, pipeline: str) -> Build:
        """The same in a pipeline of its own, for a Concourse that refuses one-off builds. Raises like `start`."""
        return self.find(PinnedJob(self._session, self._team, pipeline).start(plan))

    def find(self, number: int) -> Build:
        """A build that was started earlier, by its id. Asks nothing of Concourse but, once, its address for people."""
        if not self._address:
            info = _object(self._session.call("GET", "/info", needs=self._role))
            self._address = str(info.get("external_url") or self._session.url).rstrip("/")
        return Build(self._session, number, self._role, f"{self._address}/builds/{number}")


class Build:
    """One build. `url` is its page for people."""

    def __init__(self, session: Session, number: int, role: str, url: str) -> None:
        self.number = number
        self.url = url
        self._session = session
        self._role = role
        self._path = f"/builds/{number}"

    def status(self) -> BuildStatus:
        """Raises Unavailable, and Forgotten."""
        answer = self._session.call("GET", self._path, needs=self._role, accept=(404,))
        if answer.status == 404:
            raise Forgotten(f"concourse knows build {self.number} no longer")
        try:
            return BuildStatus(_object(answer)["status"])
        except (KeyError, ValueError):
            raise Unavailable(f"concourse says of build {self.number} what is not known here: {answer.text[:80]}") from None

    def abort(self) -> None:
        """Asks for its end. Does nothing to a build that has ended."""
        self._session.call("PUT", f"{self._path}/abort", needs=self._role)

    def follow(self, stop: Callable[[], bool], limit: float, *, hide: Callable[[str], str] = mask) -> Verdict:
        """Waits for its end, at most `limit` seconds, and no longer than `stop` is false; both are looked at with each event and
        at least every second. A build that is given up is aborted. What it printed passes through `hide`. Raises Unavailable, and
        what `stop` raises; then the build runs on.
        """
        log = Log(hide)
        began = time.monotonic()
        ends = began + limit
        last: int | None = None
        silence = _FIRST
        while True:
            looked = time.monotonic()
            status, before, ended = self.status(), last, False
            if status.ended:
                silence = _LONGEST
            headers = {} if last is None else {"Last-Event-ID": str(last)}
            with closing(self._session.lines(f"{self._path}/events", headers=headers, silence=silence)) as lines:
                for event in events(lines):
                    if event.name == "end":
                        ended = True
                        break
                    last = event.number
                    log.add(event)
                    if time.monotonic() >= ends or stop():
                        break
            if ended or (status.ended and last == before):  # or its events are kept no longer
                return Verdict(self.status(), log.reason, log.tail)
            if (stopped := stop()) or time.monotonic() >= ends:
                self.abort()
                return Verdict(self.status(), log.reason, log.tail, stopped=stopped, overdue=not stopped)
            if last == before:
                time.sleep(max(0.0, looked + silence - time.monotonic()))
            silence = min(_LONGEST, max(_SHORTEST, (time.monotonic() - began) * _SHARE))


def _object(answer: Answer) -> Mapping[str, Any]:
    if not isinstance(answer.data, Mapping):
        raise Unavailable("what answers is no Concourse: its answer is no JSON object")
    return answer.data
