"""`serve`: the agent itself."""

from __future__ import annotations

from gitops_agent.cli import options


def serve(config: options.ConfigFile = None) -> None:
    """Run the agent.

    It follows the environments of agent.toml until it is told to stop: SIGTERM and Ctrl-C end every run between two changes. Log
    lines go to standard error.
    """
    settings = options.settings(config)

    from gitops_agent import app

    app.run(settings)
