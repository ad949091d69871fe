"""agent.toml, parsed once into frozen models; nothing else reads configuration.

The repository says *what*; the operator's agent.toml says *where*: addresses, token files, directories, commands and policies are
only here, so no commit can point a token elsewhere or run a command on the host.
"""

from gitops_agent.settings.load import load
from gitops_agent.settings.models import (
    AgentSettings,
    Approve,
    EnvironmentSettings,
    OnFailure,
    Report,
    SignedCommits,
)
from gitops_agent.settings.previews import PreviewSettings
from gitops_agent.settings.validation import Policy, ValidationSettings

__all__ = [
    "AgentSettings",
    "Approve",
    "EnvironmentSettings",
    "OnFailure",
    "Policy",
    "PreviewSettings",
    "Report",
    "SignedCommits",
    "ValidationSettings",
    "load",
]
