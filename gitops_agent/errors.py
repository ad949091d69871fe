"""Errors, named by who must act; retry policy and outcome are part of the class.

Every message is one line that says what failed, on what and why, and fits a commit status (140 characters) where it can.
Messages hold no secrets by construction where possible, and pass `secret.mask` wherever they leave the process.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from gitops_agent.model import Origin, Revision


class Retry(StrEnum):
    """When a run that ended with the error is tried again."""

    BACKOFF = "back-off"
    NEVER_FOR_THIS_REVISION = "never for this revision"


class AgentError(Exception):
    """Base of all errors the agent raises on purpose; anything else is a bug of ours."""

    retry: ClassVar[Retry] = Retry.BACKOFF
    acts: ClassVar[str] = "nobody"
    """Who must act, in words that fit «… must act»."""


class ConfigError(AgentError):
    """agent.toml, or what it names on the host, is wrong: the operator mends it; the agent does not start."""

    acts = "operator"


class InvalidRevision(AgentError):
    """The author's mistake in the repository. Names file and line where known; never tried again for this revision."""

    retry = Retry.NEVER_FOR_THIS_REVISION
    acts = "author"

    def __init__(self, message: str, *, file: str = "", line: int = 0) -> None:
        self.message = message
        self.file = file
        self.line = line
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(f"{where}{message}")

    @classmethod
    def at(cls, message: str, origin: Origin | None) -> InvalidRevision:
        """The error about something that is declared there."""
        return cls(message, file=origin.file, line=origin.line) if origin else cls(message)

    def below(self, folder: str) -> InvalidRevision:
        """The same error with the file's path as seen from the directory above `folder`."""
        return InvalidRevision(self.message, file=f"{folder}/{self.file}" if self.file else f"{folder}/", line=self.line)


class UnsafePlan(AgentError):
    """The plan would delete too much, overwrite what is not ours or cut off the agent. The author pushes another commit, or
    consents to exactly this plan with `sync --allow-deletes DIGEST` where `digest` is given."""

    retry = Retry.NEVER_FOR_THIS_REVISION
    acts = "author"

    def __init__(self, message: str, *, digest: str = "") -> None:
        self.digest = digest
        super().__init__(message)


class AwaitingApproval(AgentError):
    """Not a failure: the run stopped after its plan, and goes on when somebody approves exactly that plan by its `digest`."""

    retry = Retry.NEVER_FOR_THIS_REVISION
    acts = "operator"

    def __init__(self, message: str, *, digest: str) -> None:
        self.digest = digest
        super().__init__(message)


class GateClosed(AgentError):
    """What has to be green before the first write is red, or was not there in time. Looked at again with the next attempt: whoever
    posted it may have it run again."""

    acts = "author"


class Unavailable(AgentError):
    """Something could not be reached, is not ready or is not there yet; the next run may find it."""


class ApplyFailed(AgentError):
    """A system said no, or did not become healthy, after the agent began to write."""

    acts = "whoever looks after the system"


class Conflict(ApplyFailed):
    """Somebody else wrote between observe and apply: compare-and-set lost. The next run plans anew."""


class CommandFailed(ApplyFailed):
    """A command exited with an error or ran out of time. `output` is what it printed last, already masked."""

    def __init__(self, message: str, *, output: str = "", status: int | None = None) -> None:
        self.output = output
        self.status = status
        super().__init__(message)


class Refused(AgentError):
    """The operator asked for something that cannot be done now: a sync while suspended, a run that somebody else's lock forbids."""

    acts = "operator"


class Superseded(AgentError):
    """Not a failure: a newer revision (or a suspension, then None) ended the run between two changes or in a wait."""

    def __init__(self, successor: Revision | None) -> None:
        self.successor = successor
        super().__init__(f"superseded by {successor}" if successor else "suspended")
