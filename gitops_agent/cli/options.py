"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from gitops_agent.errors import ConfigError

if TYPE_CHECKING:
    from gitops_agent.settings import AgentSettings

_PLACES = (Path("agent.toml"), Path("/etc/gitops-agent/agent.toml"))

ConfigFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="GITOPS_AGENT_CONFIG",
        metavar="FILE",
        help="agent.toml; here or in /etc/gitops-agent unless given.",
    ),
]
Environment: TypeAlias = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="Not needed where there is only one.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def settings(config: Path | None) -> AgentSettings:
    """Raises ConfigError."""
    from gitops_agent.settings import load

    if config is None:
        config = next((place for place in _PLACES if place.exists()), None)
    if config is None:
        raise ConfigError(f"there is no {' or '.join(map(str, _PLACES))}; name another with --config FILE")
    return load(config)


def the_one(name: str, names: list[str]) -> str:
    """The environment that is meant. Raises ConfigError where that is not clear."""
    there = f"there {'is' if len(names) == 1 else 'are'} {', '.join(sorted(names)) or 'none'}"
    if name and name not in names:
        raise ConfigError(f"there is no environment {name!r}; {there}")
    if not name and len(names) != 1:
        raise ConfigError(f"name the environment; {there}")
    return name or names[0]
