"""The containers that the systems run in, by name, so that a remedy is a command that can be pasted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stack:
    """`names` are containers by their Compose service, as the engine tells them; where it cannot be asked, those that Compose gives
    in `project`, or else the service's own."""

    project: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    def container(self, service: str) -> str:
        return self.names.get(service) or (f"{self.project}-{service}-1" if self.project else service)

    def logs(self, service: str) -> str:
        return f"docker logs --tail 50 {self.container(service)}"

    def restart(self, service: str) -> str:
        return f"docker restart {self.container(service)}"

    def inside(self, service: str, command: str, *, asks: bool = False) -> str:
        """A command in the container; `asks` where it wants a terminal."""
        return f"docker exec {'-it ' if asks else ''}{self.container(service)} {command}"
