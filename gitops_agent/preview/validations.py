"""Merges of pull requests, validated by Concourse: the very files that a preview planned, judged by the task file of the branch.

No build is given a password or a repository: it has the files and nothing else. A few at a time; what moved is begun anew, and
nothing runs for a request that is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gitops_agent.errors import AgentError, InvalidRevision
from gitops_agent.gate import BegunBuilds, Checking, Lending, Subject, TaskFile
from gitops_agent.gitea import Pull
from gitops_agent.model import CommitStatus, StatusState
from gitops_agent.preview.desk import Say
from gitops_agent.preview.request import Answer
from gitops_agent.report import shorten

_ONTO = ".."
"""Between base and head in the name of a merge."""
_FIRST, _LONGEST = 2.0, 300.0
"""Seconds until what Concourse could not do is tried again; they double."""


@dataclass(frozen=True)
class Conditions:
    """`task` is the task file's path, `image` the `image_resource` of one that names none, `context` that of the commit status,
    `deadline` the seconds for one build, `most` how many there are at a time."""

    task: str
    image: Mapping[str, Any] = field(repr=False)
    context: str
    deadline: float
    most: int


@dataclass
class _Wanted:
    subject: Subject
    checking: Checking | None = None
    failures: int = 0
    due: float = 0.0


class Validations:
    """Of one environment. Used by the thread of its previews; `ring` wakes it. Never raises."""

    def __init__(self, conditions: Conditions, lending: Lending, begun: BegunBuilds, say: Say, ring: Callable[[], None]) -> None:
        self.conditions = conditions
        self._lending = lending
        self._begun = begun
        self._say = say
        self._ring = ring
        self._wanted: dict[int, _Wanted] = {}

    def want(self, pull: Pull, answer: Answer, archive: Path) -> None:
        """What was planned is to be validated, unless it was or is being; what was said of something older holds no longer."""
        if answer.error:
            return  # it is looked at again
        key, name = str(pull.number), f"{answer.base}{_ONTO}{answer.head}"
        current, known = self._wanted.get(pull.number), self._begun.last(key)
        if current is not None and current.subject.name == name:
            return
        if known is not None and known.subject == name and known.over:
            return
        if current is not None or known is None or known.subject != name:
            self._drop(pull.number)
        try:
            task = self._task(answer)
        except InvalidRevision as error:
            self._tell(pull, StatusState.FAILURE, str(error))
            return
        subject = Subject(name, key, answer.head, self.conditions.context, archive.read_bytes, task)
        self._wanted[pull.number] = _Wanted(subject)
        self._tell(pull, StatusState.PENDING, "waits for its turn")

    def stale(self, pull: Pull) -> None:
        """The branch has moved since."""
        if self._drop(pull.number):
            self._tell(pull, StatusState.PENDING, "stale: the branch has moved since")

    def keep(self, numbers: set[int]) -> None:
        """Nothing runs for any other request, and nothing is kept of it."""
        for number in {*self._wanted, *map(int, self._begun.known())} - numbers:
            head = self._drop(number)
            self._shortly(CommitStatus(head, self.conditions.context, StatusState.SKIPPED, "no longer open"))

    def advance(self, now: float) -> float:
        """Starts what may be started; seconds until there is more to do, infinite where somebody will ring."""
        for each in self._wanted.values():
            if each.checking is not None and each.checking.again:
                each.checking = None
                each.failures += 1
                each.due = now + min(_LONGEST, _FIRST * 2.0 ** (each.failures - 1))
        going = sum(each.checking is not None and each.checking.going for each in self._wanted.values())
        waiting = sorted((each for each in self._wanted.values() if each.checking is None), key=lambda each: each.due)
        for each in waiting:
            if each.due > now:
                return each.due - now
            if going >= self.conditions.most:
                break
            each.checking = self._start(each.subject)
            going += 1
        return float("inf")

    def leave(self) -> None:
        """Says nothing more for now. Builds go on, and are gone on with."""
        for each in self._wanted.values():
            if each.checking is not None and each.checking.going:
                each.checking.leave()
                each.checking = None

    def _start(self, subject: Subject) -> Checking:
        # What strangers wrote is shown as it is: see `markdown.fenced`.
        checking = Checking(
            subject, self.conditions.deadline, self._shortly, self._lending.lend, self._begun, hide=str, ended=self._ring
        )
        checking.start()
        return checking

    def _task(self, answer: Answer) -> TaskFile:
        """Raises InvalidRevision where nothing can be validated, in words for a status."""
        if answer.failure:
            raise InvalidRevision("not validated: the plan of it says why")
        if not answer.task:
            raise InvalidRevision(f"not validated: the branch has no {self.conditions.task}")
        return TaskFile.parse(self.conditions.task, answer.task.encode(), self.conditions.image)

    def _drop(self, number: int) -> str:
        """What is under way is of no use any more, whichever agent began it. Gives the head that it was of; empty where none."""
        key = str(number)
        each, begun = self._wanted.pop(number, None), self._begun.last(key)
        if each is not None and each.checking is not None:
            each.checking.abandon()
        elif begun is not None and not begun.over:
            with suppress(AgentError), self._lending.lend() as builds:
                builds.find(begun.number).abort()
        self._begun.forget(key)
        if each is not None:
            return each.subject.sha
        return "" if begun is None else begun.subject.partition(_ONTO)[2]

    def _tell(self, pull: Pull, state: StatusState, text: str) -> None:
        self._shortly(CommitStatus(pull.head, self.conditions.context, state, text, pull.url))

    def _shortly(self, status: CommitStatus) -> None:
        self._say(replace(status, description=shorten(status.description)))
