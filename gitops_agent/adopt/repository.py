"""The config repo as it is written: targets' folders, agent.toml, values, what was left out; the secrets elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gitops_agent.adopt import tables
from gitops_agent.adopt.left import Left
from gitops_agent.adopt.tables import Table
from gitops_agent.errors import ConfigError
from gitops_agent.secret.files import write_secret

_VALUES = """\
# What templates (files that end in .j2) know by name. Nothing yet: everything was taken as it is.
{}
"""
_IGNORE = """\
# Secrets are references here; their values lie where agent.toml says.
.env
*.bak
*~
*.swp
"""
_README = """\
# {environment}

Taken over from the running Compose project `{project}` in `{directory}` by `gitops-agent adopt`, exactly as it was: the first run
of the agent writes, restarts and recreates nothing.

Each folder is a target of `agent/agent.toml`. A file that ends in `.j2` holds references to secrets,
`{{{{ secret("file:NAME") }}}}`; their values are in `{secrets}` on the host, one file each.

| folder | kind | what it is on the host |
|---|---|---|
{folders}

    gitops-agent plan --config agent/agent.toml     # what a run would change: only `=` lines, until something is changed here
    gitops-agent apply --config agent/agent.toml    # one run; `gitops-agent serve` for an agent that follows this repository
    gitops-agent adopt . --list-migrations          # what could be better, one step each
{left}"""


@dataclass(frozen=True)
class Place:
    """Where things are written: the config repo, the agent's own directory and the one of its secrets."""

    repository: Path
    state: Path
    secrets: Path


@dataclass(frozen=True)
class Taken:
    """All of it. `folders` are files by path below the folder, by the name of the target; `secrets` values by name."""

    environment: str
    project: str
    directory: Path
    tables: tuple[Table, ...]
    folders: Mapping[str, Mapping[str, bytes]]
    secrets: Mapping[str, str]
    left: Left

    def write(self, place: Place) -> None:
        """Raises ConfigError for a directory that holds anything, or a secret's file that holds something else; ApplyFailed."""
        check_empty(place.repository)
        for name, value in self.secrets.items():
            _refuse_another(place.secrets / name, value)
        for name, value in self.secrets.items():
            if not (place.secrets / name).exists():
                write_secret(place.secrets / name, value)
        for path, content in self.files(place).items():
            file = place.repository / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    def files(self, place: Place) -> dict[str, bytes]:
        """By path below the repository."""
        found = {f"{name}/{path}": content for name, files in self.folders.items() for path, content in files.items()}
        made = {
            "agent/agent.toml": tables.text(self.environment, place.repository, place.state, place.secrets, self.tables),
            f"values/{self.environment}.yaml": _VALUES,
            ".gitignore": _IGNORE,
            "README.md": self._readme(place),
        }
        return found | {path: text.encode() for path, text in made.items()}

    def _readme(self, place: Place) -> str:
        rows = [f"| `{table.name}/` | {table.kind} | `{table.where}` |" for table in self.tables]
        return _README.format(
            environment=self.environment,
            project=self.project,
            directory=self.directory,
            secrets=place.secrets,
            folders="\n".join(rows),
            left="".join(f"{line}\n" for line in self._left()),
        )

    def _left(self) -> Iterator[str]:
        for why, things in self.left:
            yield from ("", f"## {why}", "")
            yield from (f"- `{what}`{f': {reason}' if reason else ''}" for what, reason in things.items())


def check_empty(directory: Path) -> None:
    """Raises ConfigError for a directory that holds anything but git's own."""
    if directory.exists() and (not directory.is_dir() or any(entry.name != ".git" for entry in directory.iterdir())):
        raise ConfigError(f"{directory} is not empty")


def _refuse_another(path: Path, value: str) -> None:
    try:
        known = path.read_text().rstrip("\r\n")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError):
        known = ""
    if known != value:
        raise ConfigError(f"{path} holds another secret: name another directory with --secrets")
