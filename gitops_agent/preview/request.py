"""What the process that looks at a pull request is given, and what it gives back: JSON both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from gitops_agent.source import Remote
from gitops_agent.target import TargetSettings

_PATHS = ("token_file", "ssh_key_file", "known_hosts_file", "ca_file")


@dataclass(frozen=True)
class Bounds:
    """`seconds` for the whole, by the clock and of the processor; `memory` and `file` in bytes, of each process and of each file
    that it writes; `render_seconds` and `render_memory` as for runs."""

    seconds: float
    memory: int
    file: int
    render_seconds: float
    render_memory: int


@dataclass(frozen=True)
class Request:
    """`targets` are their settings, `state` the environment's directory; `task` is the path of the task file that validates merges,
    empty where they are not; `applied` is the last applied revision's sha, or empty."""

    environment: str
    remote: Remote
    state: Path
    key: bytes = field(repr=False)
    targets: tuple[Mapping[str, Any], ...]
    bounds: Bounds
    task: str = ""
    number: int = 0
    applied: str = ""

    @classmethod
    def of(
        cls,
        environment: str,
        remote: Remote,
        state: Path,
        key: bytes,
        targets: Sequence[TargetSettings],
        bounds: Bounds,
        task: str = "",
    ) -> Request:
        dumped = tuple(target.model_dump(mode="json") for target in targets)
        return cls(environment, remote, state, key, dumped, bounds, task)

    def about(self, number: int, applied: str) -> Request:
        return replace(self, number=number, applied=applied)

    @property
    def directory(self) -> Path:
        """Where previews keep what is theirs."""
        return self.state / "previews"

    def archive(self, number: int) -> Path:
        """Where the files of a merge are, packed for Concourse."""
        return self.directory / f"{number}.tar.gz"

    def to_json(self) -> dict[str, Any]:
        remote = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self.remote).items()}
        return {**asdict(self), "remote": remote, "state": str(self.state), "key": self.key.hex()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Request:
        remote: dict[str, Any] = {
            name: Path(value) if name in _PATHS and value else value for name, value in data["remote"].items()
        }
        return cls(
            **{
                **data,
                "remote": Remote(**remote),
                "state": Path(data["state"]),
                "key": bytes.fromhex(data["key"]),
                "targets": tuple(data["targets"]),
                "bounds": Bounds(**data["bounds"]),
            }
        )


@dataclass(frozen=True)
class Section:
    """What would become of one target. `text` is what strangers wrote, and `said` may hold names of theirs; `live`: compared with
    the system, not with the branch; `changes` counts them."""

    target: str
    summary: str
    changes: int
    text: str
    live: bool
    said: str = ""


@dataclass(frozen=True)
class Answer:
    """`base`, `head`: what was merged, as far as it got. `failure` is the author's mistake, `error` anybody else's; both may hold
    what strangers wrote. `task` is the text of the task file as the branch has it."""

    base: str = ""
    head: str = ""
    failure: str = ""
    error: str = ""
    sections: tuple[Section, ...] = ()
    task: str = ""

    @property
    def live(self) -> bool:
        """Whether it depends, or should, on what the systems are like now."""
        return any(section.live or section.said for section in self.sections)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Answer:
        """Raises KeyError, TypeError."""
        return cls(**{**data, "sections": tuple(Section(**section) for section in data["sections"])})
