"""One Compose project as a target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from gitops_agent.errors import AgentError, ApplyFailed, InvalidRevision, Unavailable, UnsafePlan
from gitops_agent.file_target import tree
from gitops_agent.model import HEALTHY, Action, Batch, Change, Files, Health, State, Value
from gitops_agent.plan import Plan, compare, leave
from gitops_agent.target import Site, Target, collect
from gitops_agent.targets.compose import alike, declared, observed, own, review
from gitops_agent.targets.compose.cache import Cache
from gitops_agent.targets.compose.command import Command
from gitops_agent.targets.compose.facts import Facts
from gitops_agent.targets.compose.health import Pulse
from gitops_agent.targets.compose.observed import Look
from gitops_agent.targets.compose.project_files import ProjectFiles, contents, digests
from gitops_agent.targets.compose.record import RecordBeside
from gitops_agent.targets.compose.settings import ComposeSettings

if TYPE_CHECKING:
    from pathlib import Path

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
        self._own = own.container()
        self._desired = State()
        self._look: Look | None = None
        self._before: Mapping[str, tree.File] | None = None
        """Files as they were before the applies since the last look."""
        self._folded: tuple[Change, ...] = ()
        """Changes of Compose files that the last plan does not show, because it shows what is in them."""

    def scope(self) -> frozenset[str]:
        return frozenset({f"compose:{self.settings.project}/", f"directory:{self.settings.directory}/"})

    def leaves(self, claim: str) -> bool:
        return self.settings.leaves(claim)

    def parse(self, files: Files) -> State:
        return collect([*declared.parse(files, self.settings), *self._files.parse(files)])

    def rehearse(self, files: Files, directory: Path) -> str:
        self._command.resolve(files, directory)
        return "docker compose"

    def observe(self, desired: State) -> State:
        with self._naming(Unavailable):
            files = [*self._files.observe(desired)]
            self._before = None
            self._desired, self._look = desired, self._take_a_look(contents(State.of(*files)), contents(desired))
        resources = [*files, *observed.observe(self._look, desired)]
        return State.of(*(found for found in resources if self.settings.allow_destroy or not _is_spare_volume(found.name, desired)))

    def _take_a_look(self, published: Files, wanted: Files) -> Look:
        engine, _ = self._engine()
        if self._own and (mounts := engine.mounts(self._own)) is not None:
            own.check_path(self.settings.directory, mounts)
        look = Look(
            self.settings.directory,
            self._facts(wanted),
            self._beside.read(),
            engine.members(),
            engine.networks(),
            engine.volumes(),
            digests(wanted, self.site.key),
            digests(published, self.site.key),
            self._definitions(published) if published != wanted else {},
        )
        doubtful = observed.made_by_another_tool(look, self._command.tool)
        unlike = dict(self._strangers(look, wanted))
        same = {name for name, differing in unlike.items() if not differing}
        if doubtful:
            before = look.facts if published == wanted else self._facts(published)
            same |= {name for name in doubtful if look.facts.is_as(before, name)}
        return replace(look, same=frozenset(same), unlike=unlike)

    def _strangers(self, look: Look, wanted: Files) -> Iterator[tuple[str, Sequence[str]]]:
        """Services to be adopted whose containers another Compose has made, with what the files say otherwise."""
        strangers = observed.made_before(look, "")
        if strangers and (strangers := observed.made_before(look, self._command.version)):
            engine, _ = self._engine()
            config = self._command.config(wanted, self.site.directory)
            for name in strangers:
                seen = [engine.inspected(member.id) for member in look.of(name)]
                said = config["services"][name]
                yield name, sorted({field for one in seen for field in alike.differences(said, config, *one)})

    def _facts(self, files: Files) -> Facts:
        """What Compose makes of the files; it is not asked twice about the same."""
        return self._cache.facts(
            files, self.settings, self._command.tool, lambda: self._command.facts(files, self.site.directory, self.site.key)
        )

    def review(self, plan: Plan) -> Plan:
        if self._look is None:
            return plan
        if plan.writes and any(member.id == self._own for member in self._look.members):
            raise own.refuse(self.settings.project, self.site.environment)
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
            self._before = self._files.there() if self._before is None else self._before
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

    def restore(self) -> bool:
        """Files and services as they were before, from what lay there. What needs consent stays: nobody can be asked."""
        before = self._before
        if before is None or any(path not in before for path in self.settings.files):
            return False
        with self._naming(ApplyFailed):
            self._files.bring_back(before)
        files = {path: file.content for path, file in before.items()}
        # Their secrets are in them now: the files are left as they lie there, and only what they declare is compared.
        desired = collect([*declared.parse(files, self.settings), *self._files.parse(files)])
        plan, _ = leave(self.review(compare(self.name, desired, self.observe(desired), prune=self.settings.prune)))
        for _ in self.apply(plan):
            pass
        return True

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
