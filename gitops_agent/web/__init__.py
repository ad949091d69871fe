"""What people and Gitea reach: webhook, JSON API, pages, health and metrics. Flask under waitress, in the agent's process.

Nothing here decides or does anything to a system: it rings an environment's doorbell and shows what the worker and the journal say.
"""

from gitops_agent.web.agent import Environment
from gitops_agent.web.application import create
from gitops_agent.web.server import Server, serve

__all__ = ["Environment", "Server", "create", "serve"]
