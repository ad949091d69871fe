"""What people want to know of runs afterwards, and what is still to be reported. Decides nothing about the systems; may be lost.

Owns SQLAlchemy, which costs a third of a second and 17 MiB: import this package only where a journal is kept.
"""

from gitops_agent.journal.entries import JournalLost, OutboxItem
from gitops_agent.journal.journal import Journal

__all__ = ["Journal", "JournalLost", "OutboxItem"]
