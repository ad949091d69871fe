"""What no run does by itself: the agent's own settings are described beside all the rest, and an operator puts them in place."""

from __future__ import annotations

from pathlib import Path

from gitops_agent.errors import AgentError
from gitops_agent.model import Files
from gitops_agent.settings import EnvironmentSettings
from gitops_agent.settings.load import read

DESCRIBED = "agent/agent.toml"


def outstanding(tree: Files, environment: str, running: EnvironmentSettings) -> str:
    """What an operator has to do, where the rendered repository describes another environment than the one that runs; otherwise
    empty. A target that only the described one has is missing from every run, and who looks at the commit should know."""
    if DESCRIBED not in tree:
        return ""
    try:
        described = read(tree[DESCRIBED].decode(), Path(DESCRIBED)).environments.get(environment)
    except (AgentError, UnicodeDecodeError):
        return f"{DESCRIBED} is none: gitops-agent check"
    return "" if described in (None, running) else f"{DESCRIBED} differs: run bootstrap"
