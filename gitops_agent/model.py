"""The nouns of the agent: frozen values without behaviour that matters, from the standard library alone.

One word per thing; docs/glossary.md has the same words for people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

Value: TypeAlias = Any
"""What a spec holds: None, bool, int, float, str, bytes, a list of these, or a mapping of str to these."""

Files: TypeAlias = Mapping[str, bytes]
"""Rendered files by their path: below the target's folder for `Target.parse`, below the repository's root elsewhere.
Secrets are still placeholders in them."""

CHANGED = "GITOPS_AGENT_CHANGED"
"""The variable in which the task of a validation finds the paths that changed since files that were found good, one a line."""

PACKED = "GITOPS_AGENT_PACKED"
"""The variable in which a task that names it among its params finds all files, where they are few enough: a tar archive, compressed
by gzip, in base64. Empty where they are its input."""


class Outcome(StrEnum):
    """How a run ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    """Something was, or may have been, touched."""
    ERROR = "error"
    """Nothing was touched."""
    AWAITING = "awaiting"
    """Nothing was touched: the plan awaits approval."""
    SUPERSEDED = "superseded"
    """A newer revision, or a suspension, ended the run between two changes."""


class Action(StrEnum):
    """What a change does to its resource."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    ADOPT = "adopt"
    """The resource exists with the desired content but without our mark: owned from now on, nothing is written."""
    REFUSE = "refuse"
    """The resource is somebody else's and differs: the plan is unsafe unless the target says `adopt = true`."""


class HealthStatus(StrEnum):
    HEALTHY = "healthy"
    PROGRESSING = "progressing"
    DEGRADED = "degraded"


@dataclass(frozen=True)
class Health:
    """What a target says of itself after an apply; `reason` is one line for people, empty when healthy."""

    status: HealthStatus
    reason: str = ""


HEALTHY = Health(HealthStatus.HEALTHY)


@dataclass(frozen=True)
class Revision:
    """One commit as seen on a ref. Written `main@sha1:<sha>`."""

    branch: str
    sha: str
    subject: str = field(default="", compare=False)
    author: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.branch}@sha1:{self.sha}"

    @property
    def short(self) -> str:
        return self.sha[:10]


@dataclass(frozen=True)
class Origin:
    """Where in the repository a resource is declared; `line` counts from 1, 0 when the whole file is meant."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Resource:
    """One named thing in a target: a file, a KV pair, a policy, a job, a service.

    `name` is unique within the target, with its type in front where a target has several (`kv:mini/motd`).
    `spec` alone is compared. `shown` is the same content with secrets still as references, and the only one of the two that is ever
    printed; None where `spec` holds no secret. `version` (ModifyIndex, cas …) rides along uncompared, for compare-and-set.
    `owned` says, of an observed resource, whether it carries this environment's mark.
    """

    name: str
    spec: Mapping[str, Value] = field(repr=False)
    shown: Mapping[str, Value] | None = field(default=None, compare=False)
    version: str | int = field(default="", compare=False)
    owned: bool = field(default=True, compare=False)
    origin: Origin | None = field(default=None, compare=False)

    @property
    def sensitive(self) -> bool:
        return self.shown is not None

    @property
    def printable(self) -> Mapping[str, Value]:
        return self.spec if self.shown is None else self.shown


@dataclass(frozen=True)
class State:
    """Resources by name: what git says (desired), or what the live system says (observed)."""

    resources: Mapping[str, Resource] = field(default_factory=dict)

    @classmethod
    def of(cls, *resources: Resource) -> State:
        return cls({resource.name: resource for resource in resources})

    def get(self, name: str) -> Resource | None:
        return self.resources.get(name)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.resources.values())

    def __len__(self) -> int:
        return len(self.resources)

    def __contains__(self, name: object) -> bool:
        return name in self.resources


@dataclass(frozen=True)
class Change:
    """One difference between desired and observed, with its reason.

    `before` and `after` may hold secrets and are for `Target.apply` only; `reason` and `diff` are safe to print.
    `destructive` says what is lost for good (a volume, a mount), empty where nothing is. `held` says what somebody has to approve
    first (`stops the running vault`), whatever the environment's policy is. `follows`: something else moved on, and nobody undid
    what the agent did (a rendered upstream, a certificate whose time has come).
    """

    action: Action
    name: str
    reason: str
    before: Resource | None = field(default=None, repr=False)
    after: Resource | None = field(default=None, repr=False)
    diff: str = field(default="", compare=False)
    destructive: str = ""
    held: str = ""
    follows: bool = False

    @property
    def resource(self) -> Resource:
        """The resource as it shall be; as it was, for a delete."""
        resource = self.after or self.before
        if resource is None:
            raise ValueError(f"change of {self.name} has neither before nor after")
        return resource


Batch: TypeAlias = tuple[Change, ...]
"""Changes that became real together: one, or those of one transaction."""


@dataclass(frozen=True)
class Step:
    """One part of a run for the timeline: `fetch`, `render`, `plan nginx`, `apply nginx` … Times are epoch seconds."""

    name: str
    started: float
    ended: float
    outcome: str = "ok"
    """`ok`, `failed`, `skipped`, `unreachable`, `awaiting` or `superseded`."""
    detail: str = ""


@dataclass(frozen=True)
class Run:
    """One reconcile, as people, the journal and the API see it. Holds nothing that may not be printed."""

    id: str
    environment: str
    trigger: str
    """What rang: `start`, `webhook`, `refs`, `poll`, `resync`, `drift: …`, `sync`, `retry` …"""
    revision: Revision
    started: float
    ended: float = 0.0
    outcome: Outcome | None = None
    """None while it runs, and of a run that was cut short until the agent is started again."""
    message: str = ""
    """One line: the words of the commit status."""
    steps: tuple[Step, ...] = ()
    plans: tuple[Mapping[str, Value], ...] = ()
    """`Plan.to_json()` of every target that was planned, in order."""
    drift: bool = False
    """The revision was already applied: what differed had drifted."""


class StatusState(StrEnum):
    """What Gitea knows of a commit status; `skipped` counts as success there and is what a superseded commit gets."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class CommitStatus:
    """One context of one commit: what a run says of it. `description` fits 140 characters."""

    sha: str
    context: str
    state: StatusState
    description: str
    url: str = ""
