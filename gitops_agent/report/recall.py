"""What a journal that was lost had left pending: no commit stays so because the agent forgot it."""

from __future__ import annotations

import logging

from gitops_agent.errors import AgentError
from gitops_agent.journal import Journal
from gitops_agent.model import Revision, StatusState
from gitops_agent.report.destination import Destination

_log = logging.getLogger(__name__)


def recall(journal: Journal, environment: str, destination: Destination, head: Revision | None) -> None:
    """Where the journal knows no run of the environment, asks the destination what is pending of the last revision that was seen:
    every other was finished in its favour. The next run finishes it as its own. Before the first run; never raises."""
    context = f"gitops/{environment}"
    try:
        if head is None or journal.runs(environment, limit=1):
            return
        newest = {status.context: status for status in destination.said(head.sha)}
        ours = [status for name, status in newest.items() if name == context or name.startswith(f"{context}/")]
        journal.recall(environment, [status for status in ours if status.state is StatusState.PENDING])
    except AgentError as error:
        _log.warning("what was pending is not known", extra={"environment": environment, "revision": str(head), "why": str(error)})
