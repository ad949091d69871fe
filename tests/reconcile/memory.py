"""A system that lives in this process, and a target for it: the whole contract, nothing to install.

Real systems are in tests/targets; here it is about what a run does with targets, in which order, and when they misbehave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from gitops_agent.errors import ApplyFailed, InvalidRevision, Unavailable
from gitops_agent.model import HEALTHY, Action, Batch, Files, Health, Origin, Resource, State
from gitops_agent.plan import Plan
from gitops_agent.target import Target, TargetSettings, collect


@dataclass
class System:
    """What a memory target talks to. `happened` lists reads and writes of all systems of a test in their order."""

    name: str
    happened: list[str]
    content: dict[str, str] = field(default_factory=dict)
    reachable: bool = True
    health: Health = HEALTHY
    refuses: str = ""
    """Name of the resource whose write fails."""
    on_write: Callable[[str], None] = lambda _name: None
    restored: bool = False
    looks: int = 0

    def write(self, action: Action, name: str, content: str | None) -> None:
        if name == self.refuses:
            raise ApplyFailed(f"{self.name} refuses {name}")
        self.happened.append(f"{self.name} {action} {name}")
        if content is None:
            del self.content[name]
        else:
            self.content[name] = content
        self.on_write(name)


class MemoryTarget(Target):
    """Every file is a resource; one that says `invalid` is the author's mistake as only the system can see it."""

    def __init__(self, settings: TargetSettings, site: object, system: System) -> None:
        super().__init__(settings, site)
        self.system = system

    def scope(self) -> frozenset[str]:
        return frozenset({f"memory:{self.system.name}/"})

    def parse(self, files: Files) -> State:
        resources = []
        for path, content in files.items():
            if b"garbage" in content:
                raise InvalidRevision("is garbage", file=path, line=1)
            resources.append(Resource(path, {"content": content.decode()}, origin=Origin(path, 1)))
        return collect(resources)

    def observe(self, desired: State) -> State:
        self.system.looks += 1
        if not self.system.reachable:
            raise Unavailable(f"{self.system.name} is away")
        for resource in desired:
            if "invalid" in resource.spec["content"]:
                raise InvalidRevision("the system cannot read it", file=resource.name, line=2)
        return State.of(*(Resource(name, {"content": content}) for name, content in self.system.content.items()))

    def review(self, plan: Plan) -> Plan:
        """What is called `clock` moves on by itself."""
        return replace(plan, changes=tuple(replace(change, follows=change.name == "clock") for change in plan))

    def apply(self, plan: Plan) -> Iterator[Batch]:
        for change in plan:
            content = change.after.spec["content"] if change.after else None
            self.system.write(change.action, change.name, content)
            yield (change,)

    def health(self) -> Health:
        return self.system.health

    def restore(self) -> bool:
        self.system.restored = True
        return True


class ServingTarget(MemoryTarget):
    """The kind that serves the secret store."""

    serves_secrets = True


class WholeTarget(MemoryTarget):
    """Publishes everything at once, as file targets do."""

    atomic = True


def settings(name: str, **options: object) -> TargetSettings:
    return TargetSettings(kind="memory", name=name, folder=name, **options)
