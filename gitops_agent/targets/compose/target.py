"""One Compose project as a target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from gitops_agent.errors import AgentError, ApplyFailed, InvalidRevision, Unavailable, UnsafePlan
from gitops_agent.model import HEALTHY, Action, Batch, Change, Files, Health, State, Value
from gitops_agent.plan import Plan
from gitops_agent.target import Site, Target, collect
from gitops_agent.targets.compose import declared, review
from gitops_agent.targets.compose.cache import Cache
from gitops_agent.targets.compose.command import Command
from gitops_agent.targets.compose.health import Pulse
from gitops_agent.targets.compose.observed import Look, observe
from gitops_agent.targets.compose.project_files import ProjectFiles, contents, digests
from gitops_agent.targets.compose.record import RecordBeside
from gitops_agent.targets.compose.settings import ComposeSettings

if TYPE_CHECKING:
    from gitops_agent.container.engine import Engine
    from gitops_agent.container.project import ProjectEngine

_RINGING = frozenset({"die", "destroy", "oom", "pause", "unpause", "start", "health_status: unhealthy"})


class Compose(Target):
    """Resources: `service:…`, `network:…`, `volume:…` of the Compose files, and `file:…` for everything in the folder."""

    class Settings(ComposeSettings):
        pass

    settings: ComposeSettings

    def __init__(self, settings: ComposeSettings, site: Site) -> None:
        super().__init__(settings, site)
        self._files = ProjectFiles(settings, site)
        self._beside = RecordBeside(self._files.record)
        self._command = Command(settings)
        self._cache = Cache(site.directory, site.key)
        self._engines: tuple[ProjectEngine, Engine] | None = None
        self._pulse: Pulse | None = None
        self._desired = State()
        self._look: Look | None = None
        self._folded: tuple[Change, ...] = ()
        """Changes of Compose files that the last plan does not show, because it shows what is in them."""

    def scope(self) -> frozenset[str]:
        return frozenset({f"compose:{self.settings.project}/", f"directory:{self.settings.directory}/"})

    def parse(self, files: Files) -> State:
        return collect([*declared.parse(files, self.settings), *self._files.parse(files)])

    def observe(self, desired: State) -> State:
        with self._naming(Unavailable):
            files = [*self._files.observe(desired)]
            published, wanted = contents(State.of(*files)), contents(desired)
            facts = self._cache.facts(
                wanted, self.settings, lambda: self._command.facts(wanted, self.site.directory, self.site.key)
            )
            engine, _ = self._engine()
            self._desired = desired
            self._look = Look(
                self.settings.directory,
                facts,
                self._beside.read(),
                engine.members(),
                engine.networks(),
                engine.volumes(),
                digests(wanted, self.site.key),
                digests(published, self.site.key),
                self._definitions(published) if published != wanted else {},
            )
        resources = [*files, *observe(self._look, desired)]
        prunable = [*resources] if self.settings.allow_destroy else [r for r in resources if not _is_spare_volume(r.name, desired)]
        return State.of(*prunable)

    def review(self, plan: Plan) -> Plan:
        if self._look is None:
            return plan
        plan, self._folded = review.fold(plan, self.settings.files)
        return review.review(plan, self._look, self._desired, self.settings.project)

    def apply(self, plan: Plan) -> Iterator[Batch]:
        from gitops_agent.targets.compose.deploy import Deploy, Means
        from gitops_agent.targets.compose.inside import Inside

        if self._look is None:
            raise UnsafePlan(f"{self.name}: was not looked at")
        engine, inside = self._engine()
        with self._naming(ApplyFailed):
            means = Means(engine, Inside(engine, inside), self._command, self._files, self._beside)
            deploy = Deploy(means, self._look, self._folded)
            self._folded = ()
            wanted = plan.without(Action.DELETE, Action.REFUSE)
            if wanted:
                deploy.create_and_update(wanted, self.settings.project)
                yield tuple(wanted)
            unwanted = plan.only(Action.DELETE)
            if unwanted:
                deploy.delete(unwanted)
                yield tuple(unwanted)

    def health(self) -> Health:
        if self._look is None:
            return HEALTHY
        engine, _ = self._engine()
        if self._pulse is None:
            self._pulse = Pulse(engine.life, self.settings.settle)
        return self._pulse.health(self._look.facts, engine.members())

    def watch(self) -> Iterator[str]:
        from gitops_agent.container.events import events

        label = f"com.docker.compose.project={self.settings.project}"
        for event in events([label], address=self.settings.docker):
            if event is None or event.action not in _RINGING:
                yield ""
            else:
                yield f"{event.labels.get('com.docker.compose.service', 'a container')}: {event.action}"

    def close(self) -> None:
        for engine in self._engines or ():
            engine.close()
        self._engines = None

    def _engine(self) -> tuple[ProjectEngine, Engine]:
        if self._engines is None:
            from gitops_agent.container.engine import Engine
            from gitops_agent.container.project import ProjectEngine

            settings = self.settings
            self._engines = (
                ProjectEngine(settings.docker, settings.project, settings.timeout),
                Engine(settings.docker, settings.timeout),
            )
        return self._engines

    def _definitions(self, published: Mapping[str, bytes]) -> Mapping[str, Mapping[str, Value]]:
        """Of the services, as they were declared before."""
        with suppress(InvalidRevision):
            before = [*declared.parse(published, self.settings)]
            return {r.name.partition(":")[2]: r.spec["definition"] for r in before if r.name.startswith("service:")}
        return {}

    @contextmanager
    def _naming(self, kind: type[AgentError]) -> Iterator[None]:
        """Errors of the disk end here: full, read-only, not allowed."""
        try:
            yield
        except OSError as error:
            raise kind(f"{self.name}: {error.filename or self.settings.directory}: {error.strerror}") from None


def _is_spare_volume(name: str, desired: State) -> bool:
    return name.startswith("volume:") and name not in desired
