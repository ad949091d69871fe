"""Validation of a commit by Concourse: a task file of the repository as a one-off build, pinned to the commit.

It is started beside planning. The task file is that of the last applied revision: a commit does not decide how it is judged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gitops_agent.concourse import Builds, git, in_order, task
from gitops_agent.document import Document
from gitops_agent.errors import InvalidRevision
from gitops_agent.gate.checking import CONTEXT, Checking, Say, Terms
from gitops_agent.model import CommitStatus, Revision, StatusState
from gitops_agent.source import Source


class Validation:
    """Of one environment. Used by the worker's thread; each build is followed by a thread of its own."""

    def __init__(self, source: Source, connect: Callable[[], Builds], terms: Terms) -> None:
        """`connect` makes a session of its own for each thread."""
        self._source = source
        self._connect = connect
        self._terms = terms
        self._free: list[Builds] = []
        self._lock = threading.Lock()
        self._current: Checking | None = None

    @property
    def required(self) -> bool:
        return self._terms.required

    def begin(self, revision: Revision, say: Say) -> Checking | None:
        """Starts the validation, or goes on with the one that is under way; None when there is nothing to wait for. Raises
        InvalidRevision when there is no task file, or one that is none."""
        current = self._current
        if current is not None and current.good:
            self._source.mark_good(current.revision)
        if current is not None and current.revision.sha == revision.sha and current.going:
            return current
        if current is not None:
            current.abandon()
        if self._source.is_good(revision):
            self._current = None
            say(CommitStatus(revision.sha, CONTEXT, StatusState.SUCCESS, "the same files were found good before"))
            return None
        begun = current.cut_off if current is not None and current.revision == revision else None
        self._current = Checking(revision, self._plan(revision), self._terms, say, self._lend, begun)
        self._current.start()
        return self._current

    def passed(self, checking: Checking) -> None:
        """Remembers that these files are good."""
        self._source.mark_good(checking.revision)

    def _plan(self, revision: Revision) -> Mapping[str, Any]:
        config = self._task(revision)
        inputs = config.get("inputs") or [{"name": "source"}]
        try:
            name = str(inputs[0]["name"])
        except (TypeError, KeyError, IndexError):
            raise InvalidRevision("its first input has no name", file=self._terms.task) from None
        return in_order(git(name, self._terms.git, revision.sha), task("validate", config))

    def _task(self, revision: Revision) -> Mapping[str, Any]:
        """From the last applied revision; the first commits, until one was applied that has the file, bring their own."""
        applied = self._source.applied()
        for base in (applied, revision):
            content = None if base is None else self._source.read(base).get(self._terms.task)
            if content is None:
                continue
            document = Document(self._terms.task, content)
            config = None if document.root is None else document.plain(document.root)
            if not isinstance(config, dict):
                raise InvalidRevision("is no task: it must be a mapping", file=self._terms.task)
            return config
        raise InvalidRevision("the task file that validates commits is not there", file=self._terms.task)

    @contextmanager
    def _lend(self) -> Iterator[Builds]:
        """A session for one thread at a time; a build that is being aborted may still have the last one's."""
        with self._lock:
            builds = self._free.pop() if self._free else self._connect()
        try:
            yield builds
        finally:
            with self._lock:
                self._free.append(builds)
