"""The composition root: from settings to environments, outbox and web server."""

from gitops_agent.app.agent import Agent, run
from gitops_agent.app.gating import gate
from gitops_agent.app.parts import (
    api_token,
    destinations,
    private_file,
    reconciler,
    refuse_overlaps,
    remote,
    reporter,
    resolver,
    url,
)

__all__ = [
    "Agent",
    "api_token",
    "destinations",
    "gate",
    "private_file",
    "reconciler",
    "refuse_overlaps",
    "remote",
    "reporter",
    "resolver",
    "run",
    "url",
]
