"""What agent.toml says of every target that is a system several environments may share, whatever its kind."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import field_validator

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import State
from gitops_agent.target import Target


class SharedSettings(Target.Settings):
    """A system in which the agent owns some resources, by their names."""

    labels: ClassVar[tuple[str, ...]]
    """What stands before the colon in the names of resources."""

    only: tuple[str, ...] = ("*",)
    """The only resources that this target may own, with `*` for any text."""

    @field_validator("only")
    @classmethod
    def _only(cls, only: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in only:
            if pattern != "*" and pattern.partition(":")[0] not in cls.labels:
                raise ValueError(f"{pattern!r} must be * or begin with one of {', '.join(f'{label}:' for label in cls.labels)}")
        return only

    def allows(self, name: str) -> bool:
        """Whether `only` lets this target own a resource of that name."""
        return self.only == ("*",) or any(fnmatchcase(name, pattern) for pattern in self.only)

    def refuse_others(self, desired: State) -> None:
        """Raises InvalidRevision for the first resource that `only` does not let this target own."""
        for resource in desired:
            if not self.allows(resource.name):
                raise InvalidRevision.at(f"{resource.name} is not among what agent.toml lets this target own", resource.origin)


class ApiSettings(SharedSettings):
    """Such a system with an HTTP API."""

    address: str
    """Its address."""
    ca_file: Path | None = None
    """CA certificates (PEM) to trust over HTTPS; the usual public ones unless set."""

    @field_validator("address")
    @classmethod
    def _address(cls, address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
            example = cls.model_fields["address"].default.replace("127.0.0.1", "host")
            raise ValueError(f"must be an address such as {example}, without user or token")
        return address.rstrip("/")
