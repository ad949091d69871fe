"""What the last applied revision says: the mark of what was adopted, and the only safe text to compare secrets with."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from gitops_agent.errors import AgentError
from gitops_agent.model import Resource, Revision, State
from gitops_agent.reconcile.desired import Desired
from gitops_agent.secret import Resolver, resolve

_log = logging.getLogger(__name__)


class LastApplied:
    """Renders the last applied revision at most once, and only when a plan needs it; usually it is the previous run's."""

    def __init__(self, revision: Callable[[], Revision | None], read: Callable[[Revision], Desired]) -> None:
        self._revision = revision
        self._read = read
        self._lock = threading.Lock()  # targets are planned in parallel
        self._known: tuple[str, Desired | None] | None = None

    def remember(self, revision: Revision, desired: Desired) -> None:
        """The run has just made this true: no need to render it again."""
        with self._lock:
            self._known = (revision.sha, desired)

    def state(self, target: str, key: bytes, lookup: Resolver, allowed: tuple[str, ...]) -> State | None:
        """The target's resources, secrets resolved where they still can be; None when nothing was ever applied."""
        desired = self._desired()
        state = desired.get(target) if desired is not None else None
        if state is None:
            return None
        return State({resource.name: _resolved(resource, key, lookup, allowed) for resource in state})

    def _desired(self) -> Desired | None:
        with self._lock:
            revision = self._revision()
            if revision is None:
                return None
            if self._known is None or self._known[0] != revision.sha:
                try:
                    self._known = (revision.sha, self._read(revision))
                except AgentError as error:
                    _log.warning(
                        "the last applied revision cannot be read any more", extra={"revision": str(revision), "why": str(error)}
                    )
                    self._known = (revision.sha, None)
            return self._known[1]


def _resolved(resource: Resource, key: bytes, lookup: Resolver, allowed: tuple[str, ...]) -> Resource:
    try:
        return next(iter(resolve(State.of(resource), key, lookup, allowed)))
    except AgentError:
        # Its secret is gone or no longer allowed. That it held one must still be known, or its live content would be shown.
        return replace(resource, shown=resource.spec)
