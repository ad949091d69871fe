"""Validation of a commit by Concourse: a task file of the repository as a one-off build, on exactly the files of the commit.

The agent sends the files, so no build needs to reach the repository or know a password of it. It is started beside planning. The
task file is that of the last applied revision: a commit does not decide how it is judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitops_agent.concourse import packed
from gitops_agent.errors import InvalidRevision, Superseded
from gitops_agent.gate.begun import BegunBuilds
from gitops_agent.gate.checking import CONTEXT, Checking, Say, Subject
from gitops_agent.gate.lending import Lending
from gitops_agent.gate.patience import Patience
from gitops_agent.gate.task_file import TaskFile
from gitops_agent.model import CommitStatus, Files, Revision, StatusState
from gitops_agent.source import Source

_KEY = "head"


@dataclass(frozen=True)
class Terms:
    """`task` is the task file's path, `image` the `image_resource` of one that names none, `deadline` the seconds for one build.
    Not `required`: the result is said, and stops nothing. Where one-off builds are refused, a pipeline of the name `pipeline` is
    made, whose git resource has the source `git`."""

    task: str
    image: Mapping[str, Any] = field(repr=False)
    git: Mapping[str, Any] = field(repr=False)
    deadline: float
    required: bool
    pipeline: str


class Validation:
    """Of one environment. Used by the worker's thread; each build is followed by a thread of its own."""

    def __init__(self, source: Source, lending: Lending, terms: Terms, begun: BegunBuilds) -> None:
        self._source = source
        self._lending = lending
        self._terms = terms
        self._begun = begun
        self._current: tuple[Revision, Checking] | None = None

    @property
    def required(self) -> bool:
        return self._terms.required

    def begin(self, revision: Revision, say: Say) -> Checking | None:
        """Starts the validation, or goes on with the one that is under way; None when there is nothing to wait for. Raises
        InvalidRevision when there is no task file, or one that is none, or the revision may not be read."""
        if self._current is not None:
            before, checking = self._current
            if checking.good:
                self._source.mark_good(before)
            if checking.going and before.sha == revision.sha:
                return checking
            checking.abandon()
        self._current = None
        if self._source.is_good(revision):
            say(CommitStatus(revision.sha, CONTEXT, StatusState.SUCCESS, "the same files were found good before"))
            return None
        self._source.verify(revision)  # before anything is made of it, anywhere
        checking = Checking(self._subject(revision), self._terms.deadline, say, self._lending.lend, self._begun)
        self._current = revision, checking
        checking.start()
        return checking

    def resume(self, revision: Revision, say: Say) -> None:
        """Goes on with a build of that revision that an agent which was stopped has left, so that what is pending comes to its end
        though no run may need it any more."""
        known = self._begun.last(_KEY)
        if known is not None and not known.over and known.subject == revision.sha and self._current is None:
            self.begin(revision, say)

    def conclude(self, patience: Patience) -> None:
        """Waits until the build that is under way has ended and that was said, or `patience` ends: then it is left as it is."""
        if self._current is not None:
            try:
                self._current[1].wait_for_end(patience)
            except Superseded:
                self._current[1].leave()

    def passed(self, revision: Revision) -> None:
        """Remembers that these files are good."""
        self._source.mark_good(revision)

    def _subject(self, revision: Revision) -> Subject:
        files, applied = self._source.read(revision), self._source.applied()
        before = {} if applied is None else self._source.read(applied)
        task = self._task(before, files)
        if applied is not None and self._source.is_good(applied):  # then what did not change since was judged
            task = task.told(path for path in {*before, *files} if before.get(path) != files.get(path))
        pinned = task.on_commit(self._terms.git, revision.sha), self._terms.pipeline
        return Subject(revision.sha, _KEY, revision.sha, CONTEXT, lambda: packed(files), task, pinned)

    def _task(self, before: Files, files: Files) -> TaskFile:
        """From the last applied revision; the first commits, until one was applied that has the file, bring their own."""
        path = self._terms.task
        content = before.get(path, files.get(path))
        if content is None:
            raise InvalidRevision("the task file that validates commits is not there", file=path)
        return TaskFile.parse(path, content, self._terms.image)
