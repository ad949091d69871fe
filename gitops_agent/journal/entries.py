"""What the journal hands out besides runs, and how it says that it cannot."""

from __future__ import annotations

from dataclasses import dataclass

from gitops_agent.errors import Unavailable
from gitops_agent.model import CommitStatus


class JournalLost(Unavailable):
    """The journal cannot be read or written at present: full or read-only disk, locked, of a newer agent. It was said aloud by the
    journal itself; reporting stops, reconciling goes on."""


class JournalCorrupt(JournalLost):
    """The file is no database (any more). `Journal` moves it aside and starts a new one; nobody else sees this."""


@dataclass(frozen=True)
class OutboxItem:
    """A status that waits to be sent; the next one of its commit and context waits behind it. Times are epoch seconds."""

    id: int
    environment: str
    status: CommitStatus
    attempts: int
    uncertain: bool
    """It may have arrived: an answer was lost, the agent died while sending, or the journal before this one was lost.
    It is looked up before it is sent (again)."""
    due: float
    """Not before this; 0 until something went wrong."""
    error: str = ""
    """Why it still waits."""
