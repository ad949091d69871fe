"""Commit statuses that others post and that have to be green before the first write: whoever posts them, from wherever."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase

from gitops_agent.errors import GateClosed
from gitops_agent.gate.patience import Patience
from gitops_agent.model import Revision

OWN = "gitops/"
"""What the agent says itself is never waited for, whatever the patterns are."""
_GREEN = frozenset({"success", "skipped"})
_NAMED = 3


def matches(context: str, patterns: Sequence[str]) -> bool:
    return not context.startswith(OWN) and any(fnmatchcase(context, pattern) for pattern in patterns)


class Requires:
    """`ask` gives the newest state of each context of a commit, in Gitea's words. Used by the worker's thread."""

    def __init__(self, patterns: Sequence[str], ask: Callable[[str], Mapping[str, str]], *, deadline: float, poll: float) -> None:
        self._patterns = tuple(patterns)
        self._ask = ask
        self._deadline = deadline
        self._poll = poll
        self._since: tuple[str, float] = ("", 0.0)

    def wait(self, revision: Revision, patience: Patience) -> None:
        """Returns when each pattern has a status and all that match are green. Raises GateClosed for one that is red, and when the
        deadline has passed, which counts from when the commit was first asked about; Unavailable when Gitea cannot be asked."""
        if self._since[0] != revision.sha:
            self._since = (revision.sha, time.monotonic())
        until = self._since[1] + self._deadline
        while missing := self._missing(revision):
            if time.monotonic() >= until:
                raise GateClosed(f"not green within {self._deadline:g} s: {missing}")
            patience.say(f"waiting for {missing}")
            patience.pause(min(self._poll, max(0.0, until - time.monotonic())))
            patience.stop()

    def _missing(self, revision: Revision) -> str:
        """What is still to come; raises GateClosed for what came and is red."""
        known = {context: state for context, state in self._ask(revision.sha).items() if matches(context, self._patterns)}
        red = [f"{context} is {state}" for context, state in known.items() if state not in _GREEN and state != "pending"]
        if red:
            raise GateClosed(_listed(red))
        silent = [pattern for pattern in self._patterns if not any(fnmatchcase(context, pattern) for context in known)]
        return _listed([*(context for context, state in known.items() if state == "pending"), *silent])


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
