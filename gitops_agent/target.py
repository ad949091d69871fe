"""The contract between a run and the systems it brings to the desired state.

A new kind is one new file in `gitops_agent/targets/` that ends in `TARGET = Cls`; docs/how-to/add-a-target.md walks through one.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import HEALTHY, Batch, Files, Health, Resource, State
from gitops_agent.plan import Plan

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _seconds(value: object) -> object:
    if isinstance(value, str):
        match = re.fullmatch(r"([0-9.]+)\s*(ms|s|m|h|d)", value.strip())
        if match is None:
            raise ValueError("is no duration: write seconds as a number, or a text such as '90s', '5m', '1h'")
        return float(match[1]) * _UNITS[match[2]]
    return value


Seconds: TypeAlias = Annotated[float, BeforeValidator(_seconds)]
"""A setting in seconds; agent.toml may say `90`, `"90s"`, `"5m"` or `"1h"`."""


class Drift(StrEnum):
    """What to do when a system no longer is what the applied revision says. A new revision is always applied whole."""

    HEAL = "heal"
    REPORT = "report"
    IGNORE = "ignore"


class Table(BaseModel):
    """A table of agent.toml. The text under a field is its manual (script/reference.py reads it from the source: pydantic's own
    way would parse every class at each start). A table that nothing is read into is never compiled."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class TargetSettings(Table):
    """What agent.toml says of every target, whatever its kind."""

    kind: str
    """Which system this is; the name of a module in `gitops_agent/targets/`."""
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    """Unique within the environment; part of the commit status context `gitops/<environment>/<name>`."""
    folder: str = ""
    """Folder of the config repo that this target renders; the target's name unless set."""
    drift: Drift = Drift.HEAL
    """`heal`: drift is mended at once. `report`: it is shown and counted, and left, but what has to be renewed in time is renewed.
    `ignore`: it is not looked for."""
    adopt: bool = False
    """Take over resources that exist with other content and without our mark. Without it such a plan is refused."""
    prune: bool = True
    """Delete what is owned and no longer declared."""
    max_delete_percent: int = Field(default=30, ge=0, le=100)
    """A plan that deletes more than this share of ten or more owned resources is refused until consented to."""
    secrets: tuple[str, ...] = ()
    """The only secret references that this target's files may use, with `*` for any text: `["kv/mini-cloud/*"]`."""
    health_timeout: Seconds = Field(default=120, gt=0)
    """Seconds until a target that is not healthy after an apply has failed."""
    timeout: Seconds = Field(default=60, gt=0)
    """Seconds for one request or command, unless the kind has a finer setting."""


@dataclass(frozen=True)
class Site:
    """Where a target works: the environment that owns it, a directory of its own for caches and staging (0700, survives restarts,
    may be thrown away), and the key for keyed digests."""

    environment: str
    directory: Path
    key: bytes


class Target(ABC):
    """One configured target. Kept between runs; clients are made when first needed; used by one thread at a time, but for `watch`.

    Errors: `InvalidRevision` for what the author must mend, `Unavailable` for what cannot be reached, `ApplyFailed`, `Conflict` and
    `CommandFailed` once writing has begun. No retries here: the worker's is the only retry loop.
    """

    class Settings(TargetSettings):
        """A kind adds its own fields here."""

    atomic: ClassVar[bool] = False
    """True where one apply publishes everything together (files): deletions then do not wait until the end of the run."""
    serves_secrets: ClassVar[bool] = False
    """True for the kind that serves the secret store: it and all targets before it may use `file:` references only."""

    def __init__(self, settings: Any, site: Site) -> None:
        self.settings = settings
        self.site = site

    @property
    def name(self) -> str:
        return str(self.settings.name)

    @abstractmethod
    def scope(self) -> frozenset[str]:
        """What may be owned, one text a claim: `kv:mini/`, `directory:/srv/nginx`. A claim that is the beginning of another
        target's claim overlaps it, which is refused at start unless the target `leaves` it."""

    def leaves(self, claim: str) -> bool:  # noqa: ARG002 -- most leave nothing
        """Whether this target never touches what another one claims, although it lies inside its own scope. Pure."""
        return False

    @abstractmethod
    def parse(self, files: Files) -> State:
        """What the folder says. Pure. Raises InvalidRevision with file (relative to the folder) and line."""

    @abstractmethod
    def observe(self, desired: State) -> State:
        """What is owned, and what is somebody else's under a desired name (`owned=False`), in the shape of `desired`, whose secrets
        are resolved. Changes nothing. May let the system parse and compare: where it says "no difference", echo the desired
        spec."""

    @abstractmethod
    def apply(self, plan: Plan) -> Iterator[Batch]:
        """Makes the changes real and yields each as soon as it is: one, or those of one transaction. ADOPT changes write nothing
        and are yielded like the others. The run may stop consuming between two yields."""

    def review(self, plan: Plan) -> Plan:
        """Last word on a plan before it is guarded and shown: put changes in the order the system needs, mark what is destructive,
        raise UnsafePlan for what would cut off the agent itself. Pure."""
        return plan

    def health(self) -> Health:
        """One look, no waiting."""
        return HEALTHY

    def restore(self) -> bool:
        """Brings back what was before the last `apply`, where that can be done without git; True if it was."""
        return False

    def watch(self) -> Iterator[str]:
        """A reason, each time something owned changed. Runs in a thread of its own until the generator is closed or raises; blocks
        at most a few seconds between yields; an empty text means «nothing, still here»."""
        return iter(())

    def reader(self) -> Target | None:
        """Another one of its kind, for planning what strangers propose: with credentials of its own that can only read, and an
        `observe` that lets no program and no system evaluate what they wrote. None where the kind or its settings have none."""
        return None

    def tells(self, resource: Resource) -> bool:
        """Of a reader: whether strangers may be told that something declared, which refers to no secret, differs from what is live.
        Pure."""
        return not resource.sensitive

    def rehearse(self, files: Files, directory: Path) -> str:  # noqa: ARG002 -- most have no program that could
        """Lets the kind's own programs look at what `parse` was given, with stand-ins for secrets, in the empty `directory`: away
        from the system, as far as it can be told there. Gives what looked, in words; empty where nothing could. Raises
        InvalidRevision, and Unavailable for what cannot be told here."""
        return ""

    def close(self) -> None:  # noqa: B027 -- most targets hold nothing
        """Lets go of connections and threads."""


def collect(resources: Iterable[Resource]) -> State:
    """A State from what `parse` found. Raises InvalidRevision where a name is declared twice, naming both places."""
    found: dict[str, Resource] = {}
    for resource in resources:
        other = found.get(resource.name)
        if other is not None:
            raise InvalidRevision.at(f"{resource.name} is declared twice; the other is in {other.origin}", resource.origin)
        found[resource.name] = resource
    return State(found)
