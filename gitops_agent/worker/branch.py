"""What is known of the branch that an environment follows."""

from __future__ import annotations

import logging

from gitops_agent import metrics
from gitops_agent.errors import AgentError
from gitops_agent.model import Revision
from gitops_agent.secret import mask
from gitops_agent.source import Source

_log = logging.getLogger(__name__)


class Branch:
    """Asked by the worker's thread, read by any."""

    def __init__(self, environment: str, source: Source) -> None:
        self._environment = environment
        self._source = source
        self.head: Revision | None = None
        """The newest revision seen."""
        self.error = ""
        """Why the branch cannot be fetched at present."""

    def look(self) -> bool:
        """Fetches; False when the source cannot be reached, then the newest revision known goes on counting."""
        try:
            self.head = self._source.fetch()
        except AgentError as error:
            if not self.error:  # said once, not with every poll
                _log.warning("cannot fetch", extra={"environment": self._environment, "why": mask(str(error))})
            self.error = mask(str(error))
            self.head = self.head or self._source.head()  # what an agent that starts without its source goes on with
            metrics.fetch_failed(self._environment)
        else:
            self.error = ""
        return not self.error
