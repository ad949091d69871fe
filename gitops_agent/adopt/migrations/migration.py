"""What a migration is: an edit of the config repo that the operator chooses by name, and what the next run will make of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from gitops_agent.adopt.migrations.compose_text import ComposeText
from gitops_agent.container.inventory import Inventory
from gitops_agent.container.members import LABEL
from gitops_agent.container.shapes import Inspected
from gitops_agent.errors import ConfigError
from gitops_agent.settings import AgentSettings, load
from gitops_agent.target import TargetSettings

_OWN = "agent/agent.toml"
_TIMEOUT = 60.0


@dataclass
class Proposal:
    """`edits` are new texts by path below the repository, `removed` files that go, `secrets` values of new references. `steps` say
    what was changed, `effects` what the next run does, `not_done` what has to be done by hand first."""

    edits: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)
    not_done: list[str] = field(default_factory=list)


class ConfigRepo:
    """The one that `adopt` wrote, as it is now, and the containers that run what it says."""

    def __init__(self, path: Path, environment: str) -> None:
        """Raises ConfigError."""
        self.path = path
        self.settings: AgentSettings = load(path / _OWN)
        known = list(self.settings.environments)
        if environment not in known and (environment or len(known) != 1):
            raise ConfigError(f"name the environment with --environment: {', '.join(known) or 'there is none'}")
        self.environment = environment or known[0]

    @property
    def secrets(self) -> Path:
        """Where its references are resolved."""
        return self.settings.secrets.directory or self.settings.state / "secrets"

    def targets(self, kind: str) -> list[TargetSettings]:
        return [target for target in self.settings.environments[self.environment].targets if target.kind == kind]

    def file(self, path: str) -> str | None:
        """Where a file of a folder lies, as it is or as a template."""
        return next((name for name in (path, f"{path}.j2") if (self.path / name).is_file()), None)

    def text(self, path: str) -> str:
        return (self.path / path).read_text()

    def compose(self) -> dict[str, ComposeText]:
        """The Compose files of all projects, by path."""
        named = [f"{target.folder}/{file}" for target in self.targets("compose") for file in getattr(target, "files", ())]
        return {path: ComposeText(path, self.text(path)) for name in named if (path := self.file(name)) is not None}

    @cached_property
    def running(self) -> Mapping[str, Inspected]:
        """By Compose service."""
        projects = {str(getattr(target, "project", "")) for target in self.targets("compose")}
        with closing(Inventory(timeout=_TIMEOUT)) as inventory:
            found = [one for one in inventory.containers() if one.labels.get(f"{LABEL}project") in projects]
        return {one.labels.get(f"{LABEL}service", ""): one for one in found}


class Migration(ABC):
    """Looks at the repository and at what runs; writes nothing itself."""

    name: ClassVar[str]
    summary: ClassVar[str]
    """A line for people: what is better afterwards."""

    @abstractmethod
    def propose(self, repo: ConfigRepo) -> Proposal:
        """Empty where there is nothing to do. Raises ConfigError, Unavailable."""
