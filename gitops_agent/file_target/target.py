"""The base of all kinds that are «a directory, a check, a reload»."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import ClassVar

from gitops_agent.errors import AgentError, ApplyFailed, CommandFailed, InvalidRevision, Unavailable
from gitops_agent.file_target import tree
from gitops_agent.file_target.in_place import InPlace
from gitops_agent.file_target.observed import as_resources
from gitops_agent.file_target.publisher import Publisher
from gitops_agent.file_target.reads import Reads, Seen
from gitops_agent.file_target.record import RecordFile
from gitops_agent.file_target.settings import FileTargetSettings, Publish
from gitops_agent.file_target.switch import Switch
from gitops_agent.file_target.watched import changes
from gitops_agent.model import Action, Batch, Files, Origin, Resource, State
from gitops_agent.plan import Plan
from gitops_agent.secret import references
from gitops_agent.target import Site, Target

_log = logging.getLogger(__name__)


class FileTarget(Target):
    """A resource is a file, named by its path. Its spec: `content` (bytes); `mode` of one that holds a secret; and, of an observed
    one that lies there as desired but was not seen to be loaded, `loaded`: the mark of an apply that was cut short.

    A kind says how to `check`, `reload` and `verify`.
    """

    atomic: ClassVar[bool] = True

    class Settings(FileTargetSettings):
        """A kind adds its own fields here."""

    settings: FileTargetSettings

    def __init__(self, settings: FileTargetSettings, site: Site) -> None:
        super().__init__(settings, site)
        self.record = RecordFile(settings.directory, f"{site.environment}/{settings.name}")
        self.publisher: Publisher = (
            Switch(settings.directory, self.record, site.key, settings.keep)
            if settings.publish is Publish.SWITCH
            else InPlace(settings.directory, self.record, site.key)
        )
        self.reads = Reads(settings.reads, site)
        self._names: frozenset[str] = frozenset()
        """Paths that are or shall be ours, for `watch`."""
        self._checked = ""
        """Digest of the delta that passed the check last: between planning and applying nobody checks twice."""

    @property
    def checks(self) -> bool:
        """Whether there is anything to check with; the staged copy is made for that alone."""
        return True

    @abstractmethod
    def check(self, staged: Path) -> None:
        """Lets the program's own checker look at `staged`, which holds what `self.publisher.live` will hold.

        Raises InvalidRevision with file (relative to the folder) and line for what the author must mend, Unavailable for what
        could not be reached or resolved, and for mistakes in files that are not the author's.
        """

    def edit(self, _staged: Path, content: bytes) -> bytes:
        """A file as it must read to be checked in `staged` instead of where it will lie."""
        return content

    @abstractmethod
    def reload(self) -> None:
        """Tells the program to read its files again. Does nothing when it does not run: it will read them when it starts."""

    @abstractmethod
    def verify(self) -> None:
        """Waits until the program is seen to use what it was told to load. Raises ApplyFailed when it does not."""

    def scope(self) -> frozenset[str]:
        return frozenset({f"directory:{self.settings.directory}/"})

    def leaves(self, claim: str) -> bool:
        return self.settings.publish is Publish.IN_PLACE and self.settings.leaves(claim)

    def parse(self, files: Files) -> State:
        ours = (self._resource(path, content) for path, content in files.items() if not self.ignores(path))
        return State.of(*ours, *self.reads.desired())

    def _resource(self, path: str, content: bytes) -> Resource:
        if tree.PRIVATE in Path(path).parts:
            raise InvalidRevision(f"{tree.PRIVATE} is the agent's own name in published directories", file=path)
        try:
            holds_secret = bool(references(content, self.site.key))
        except InvalidRevision as error:
            raise InvalidRevision(str(error), file=path) from None
        mode = {"mode": self.settings.secret_mode} if holds_secret else {}
        return Resource(path, {"content": content, **mode}, origin=Origin(path))

    def ignores(self, path: str) -> bool:
        return any(fnmatchcase(path, pattern) for pattern in self.settings.ignore)

    def observe(self, desired: State) -> State:
        with self._naming(Unavailable):
            found = {path: file for path, file in self.publisher.found(list(desired.resources)).items() if not self.ignores(path)}
            observed = State.of(*as_resources(found, desired))
            self._names = frozenset(desired.resources) | {there.name for there in observed if there.owned}
            read = self.reads.look()
            others = State.of(*self.reads.observed(read))
            delta = self._delta(desired, observed)
            if delta or any(there.spec != desired.resources[there.name].spec for there in others):
                self._check(delta, read)
        return State.of(*observed, *others)

    def _delta(self, desired: State, observed: State) -> tree.Delta:
        """What an apply would write; the very thing `apply` makes of the plan, unless the plan is refused."""
        delta: dict[str, tree.File | None] = {}
        for wanted in (wanted for wanted in desired if not Reads.is_one(wanted.name)):
            found = observed.get(wanted.name)
            if found is None or found.spec != wanted.spec:
                delta[wanted.name] = self._file(wanted)
        if self.settings.prune:
            delta.update({found.name: None for found in observed if found.owned and found.name not in desired})
        return delta

    def _file(self, resource: Resource) -> tree.File:
        content = resource.spec["content"]
        return self.secret_file(content) if "mode" in resource.spec else tree.File(content)

    def secret_file(self, content: bytes) -> tree.File:
        """With the mode and owner of the settings."""
        uid, _, gid = self.settings.secret_owner.partition(":")
        owner = (int(uid), int(gid) if gid else -1) if uid else None
        return tree.File(content, int(self.settings.secret_mode, 8), owner)

    def _check(self, delta: tree.Delta, read: Mapping[str, Seen]) -> None:
        self.reads.refuse_emptied(read)
        if not self.checks:
            return
        digest = f"{tree.digest(delta)} {sorted(read.items())}"
        if digest == self._checked:
            return
        with self.record.staging("check") as staging:
            staging.chmod(0o755)  # a checker may run as another user
            staged = staging / self.publisher.live.name
            tree.copy(self.publisher.live, delta, staged, edit=lambda content: self.edit(staged, content))
            try:
                self.check(staged)
            except InvalidRevision as error:
                if error.file and error.file not in self._names | delta.keys():
                    raise Unavailable(f"{self.name}: {error} ({error.file} is not in this folder)") from None
                raise
        self._checked = digest

    def apply(self, plan: Plan) -> Iterator[Batch]:
        changes = [change for change in plan.without(Action.ADOPT, Action.REFUSE) if not Reads.is_one(change.name)]
        delta = {change.name: None if change.after is None else self._file(change.after) for change in changes}
        self.publish(delta, told=plan.writes)
        self.adopt([change.name for change in plan.only(Action.ADOPT) if not Reads.is_one(change.name)])
        yield tuple(plan.without(Action.REFUSE))

    def publish(self, delta: tree.Delta, *, told: bool) -> None:
        """Makes the delta real; with `told` the program loads all anew even where the delta is empty."""
        read = self.reads.look()
        if delta or told:
            with self._naming(ApplyFailed):
                self._check(delta, read)
            try:
                with self._naming(ApplyFailed):
                    if delta:
                        self.publisher.publish(delta)
                    self._activate(confirm=bool(delta))
            except Exception as error:
                self._checked = ""
                if delta:
                    self._take_back(error)
                raise
        if self.settings.reads:
            with self._naming(ApplyFailed):
                self.reads.note(read)

    def adopt(self, paths: Collection[str]) -> None:
        """As they lie there."""
        if paths:
            with self._naming(ApplyFailed):
                self.publisher.adopt(paths)

    def _activate(self, *, confirm: bool = True) -> None:
        self.reload()
        self.verify()
        if confirm:
            self.publisher.confirm()

    def review(self, plan: Plan) -> Plan:
        return self.reads.review(plan)

    def _take_back(self, error: Exception) -> None:
        """The previous files are published and loaded again. Raises what the run shall say."""
        try:
            with self._naming(ApplyFailed):
                if not self.restore():
                    return
        except AgentError as second:
            raise ApplyFailed(f"{error}; and the previous files could not be brought back: {second}") from error
        message = f"{error}; the previous files are back"
        if isinstance(error, CommandFailed):
            raise CommandFailed(message, output=error.output, status=error.status) from error
        raise ApplyFailed(message) from error

    def restore(self) -> bool:
        if not self.publisher.revert():
            return False
        _log.warning("previous files are brought back", extra={"target": self.name})
        if self.publisher.live.is_dir():
            self._activate()
        else:  # there was nothing before, so there is nothing to load
            self.publisher.confirm()
        return True

    @property
    def watched(self) -> Sequence[Path]:
        """Directories in which a change is a reason to look."""
        return [self.settings.directory, *self.reads.directories]

    def watch(self) -> Iterator[str]:
        return changes(self.watched, self.settings.ignore, self._concerns)

    def _concerns(self, path: Path) -> bool:
        """Everything above the links of `switch`; in-place, files that are or shall be ours, and directories that hold such."""
        if self.reads.concerns(path):
            return True
        directory = self.settings.directory.resolve()
        if self.settings.publish is Publish.SWITCH or not path.is_relative_to(directory) or path == directory:
            return True
        below = str(path.relative_to(directory))
        return any(name == below or name.startswith(f"{below}/") for name in self._names)

    @contextmanager
    def _naming(self, kind: type[AgentError]) -> Iterator[None]:
        """Errors of the disk end here: full, read-only, not allowed."""
        try:
            yield
        except OSError as error:
            raise kind(f"{self.name}: {error.filename or self.settings.directory}: {error.strerror}") from None
