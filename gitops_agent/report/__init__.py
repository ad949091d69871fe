"""Tells people what became of their commit: statuses in Gitea, or git notes where the source is a plain repository.

What to say is decided by the worker and kept in the journal; this package delivers it: off the run's path, in order, none twice,
none missing. Heralds tell those who do not look, through any service that Apprise knows.
"""

from gitops_agent.report.describe import describe, shorten
from gitops_agent.report.destination import Destination, GiteaStatuses, GitNotes
from gitops_agent.report.herald import Heralds
from gitops_agent.report.outbox import Outbox
from gitops_agent.report.recall import recall

__all__ = ["Destination", "GitNotes", "GiteaStatuses", "Heralds", "Outbox", "describe", "recall", "shorten"]
