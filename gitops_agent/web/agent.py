"""What the web layer needs of the rest of the agent, and no more: a worker's environment, the journal's runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from gitops_agent.model import Run
from gitops_agent.settings import EnvironmentSettings

if TYPE_CHECKING:
    from gitops_agent.worker import Awaiting, EnvironmentStatus


class Environment(Protocol):
    """One worker, as the web sees it. `wake` never blocks and costs nothing: it is called for every webhook."""

    @property
    def name(self) -> str: ...
    @property
    def settings(self) -> EnvironmentSettings: ...
    def wake(self, reason: str) -> None: ...
    def sync(self, allow_deletes: Collection[str] = (), *, skip_gate: bool = False) -> None: ...
    def approve(self, digest: str) -> None: ...
    def suspend(self, why: str = "") -> None: ...
    def resume(self) -> None: ...
    def status(self) -> EnvironmentStatus: ...


class Runs(Protocol):
    """The journal's memory of runs, newest first."""

    def runs(self, environment: str | None = None, limit: int = 50, before: str | None = None) -> list[Run]: ...
    def run(self, id: str) -> Run | None: ...  # noqa: A002 -- the word of the model


@dataclass(frozen=True)
class Agent:
    """Everything the routes are made from. `ready` names what is not ready yet, with the reason; empty means ready."""

    environments: Mapping[str, Environment]
    journal: Runs
    url: str
    ready: Callable[[], Mapping[str, str]]
    previews: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    """Rings the previews of an environment; none where it has none."""

    def find_run(self, id: str) -> Run | None:  # noqa: A002
        """The run as it is now: what a worker holds is newer than what the journal last heard."""
        for run in self.in_progress():
            if run.id == id:
                return run
        return self.journal.run(id)

    def awaiting(self) -> list[Awaiting]:
        """The plans that wait for somebody to approve them."""
        found = (environment.status().awaiting for environment in self.environments.values())
        return [each for each in found if each is not None]

    def in_progress(self) -> list[Run]:
        """The runs that go on now; any other run without an outcome was cut short."""
        found = (environment.status().current for environment in self.environments.values())
        return [run for run in found if run is not None]
