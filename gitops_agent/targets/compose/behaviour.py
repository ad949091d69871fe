"""`x-gitops` of a service: what the agent is to do when one of its files changes, and what it must not do without consent.

x-gitops:
  on_change: {"conf/*": {exec: [nginx, -s, reload]}, "seed/*": ignore}      recreate | restart | ignore | {signal} | {exec}
  hold: true                 never stopped without approval
  forward_only: true         never to an older image without consent
  before_stop: {exec: […]} or {signal: SIGUSR2}, with timeout: 10m
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Value
from gitops_agent.target import Seconds

KEY = "x-gitops"
RECREATE, RESTART, IGNORE = "recreate", "restart", "ignore"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Command(_Strict):
    """A command run in the container, or a signal sent to it."""

    exec: tuple[str, ...] = Field(default=(), strict=False)
    signal: str = Field(default="", pattern="^([A-Z0-9+-]+)?$")
    timeout: Seconds = Field(default=60, gt=0)

    @model_validator(mode="after")
    def _one(self) -> Command:
        if bool(self.exec) == bool(self.signal):
            raise ValueError("must be {exec: [command]} or {signal: NAME}")
        return self


class Behaviour(_Strict):
    on_change: Mapping[str, str | Command] = {}
    hold: bool = False
    forward_only: bool = False
    before_stop: Command | None = None

    @model_validator(mode="after")
    def _known(self) -> Behaviour:
        for pattern, action in self.on_change.items():
            if isinstance(action, str) and action not in (RECREATE, RESTART, IGNORE):
                raise ValueError(f"on_change.{pattern} must be {RECREATE}, {RESTART}, {IGNORE}, {{signal: …}} or {{exec: […]}}")
        return self

    @classmethod
    def of(cls, definition: Mapping[str, Value]) -> Behaviour:
        """From a service's definition. Raises InvalidRevision without a file."""
        try:
            return cls.model_validate(definition.get(KEY) or {})
        except ValidationError as error:
            last = error.errors(include_url=False)[-1]
            where = "".join(f".{part}" for part in last["loc"] if part not in ("str", "Command"))
            raise InvalidRevision(f"{KEY}{where}: {re.sub('^Value error, ', '', last['msg'])}") from None

    def on_changes(self, paths: Iterable[str]) -> Reaction:
        """What the change of all these files means together; the first pattern that fits counts, undeclared is recreate."""
        actions: list[str | Command] = []
        for path in paths:
            fits = (action for pattern, action in self.on_change.items() if fnmatchcase(path, pattern.removeprefix("./")))
            action = next(fits, RECREATE)
            if action not in actions and action != IGNORE:
                actions.append(action)
        for strongest in (RECREATE, RESTART):
            if strongest in actions:
                return Reaction(strongest)
        return Reaction("reload" if actions else IGNORE, tuple(action for action in actions if isinstance(action, Command)))

    def ignores(self, path: str) -> bool:
        return self.on_changes([path]).how == IGNORE


@dataclass(frozen=True)
class Reaction:
    how: str
    commands: tuple[Command, ...] = field(default=())


def plain(command: Command | None) -> Any:
    """For the record beside the project."""
    return None if command is None else command.model_dump(mode="json")
