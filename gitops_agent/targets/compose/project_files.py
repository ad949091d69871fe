"""The project's directory: every file of the folder, published in place.

In place, not by switching a link: Compose hashes absolute paths and Docker resolves links when it mounts, so a link that moves
would either change every hash or be seen by nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from gitops_agent.errors import InvalidRevision
from gitops_agent.file_target import tree
from gitops_agent.file_target.in_place import InPlace
from gitops_agent.file_target.record import RecordFile
from gitops_agent.model import Action, Change, Files, Origin, Resource, State
from gitops_agent.secret import fingerprint, references
from gitops_agent.target import Site
from gitops_agent.targets.compose.settings import ComposeSettings

PREFIX = "file:"


class ProjectFiles:
    def __init__(self, settings: ComposeSettings, site: Site) -> None:
        self._settings = settings
        self._key = site.key
        self.record = RecordFile(settings.directory, f"{site.environment}/{settings.name}")
        self._publisher = InPlace(settings.directory, self.record, site.key)

    def parse(self, files: Files) -> Iterator[Resource]:
        for path, content in files.items():
            if tree.PRIVATE in Path(path).parts:
                raise InvalidRevision(f"{tree.PRIVATE} is the agent's own name in published directories", file=path)
            if self._ignores(path):
                continue
            try:
                secret = bool(references(content, self._key))
            except InvalidRevision as error:
                raise InvalidRevision(error.message, file=path) from None
            mode = {"mode": self._settings.secret_mode} if secret else {}
            yield Resource(f"{PREFIX}{path}", {"content": content, **mode}, origin=Origin(path))

    def observe(self, desired: State) -> Iterator[Resource]:
        wanted = [name.removeprefix(PREFIX) for name in desired.resources if name.startswith(PREFIX)]
        for path, found in self._publisher.found(wanted).items():
            want = desired.get(f"{PREFIX}{path}")
            if self._ignores(path) or found.file is None:
                continue
            if isinstance(found.file, str):
                yield Resource(f"{PREFIX}{path}", {"content": found.file}, owned=found.owned)
                continue
            spec: dict[str, object] = {"content": found.file.content}
            if want is not None and "mode" in want.spec:
                # A file that is not ours yet is adopted as it is, mode and all.
                keeps = found.as_found or not found.owned
                spec["mode"] = want.spec["mode"] if keeps else f"{found.file.mode:04o}"
            if not found.loaded and want is not None and spec == want.spec:
                spec["published"] = "cut short"
            yield Resource(f"{PREFIX}{path}", spec, owned=found.owned)

    def publish(self, changes: Sequence[Change]) -> None:
        delta = {change.name.removeprefix(PREFIX): self._file(change.after) for change in changes}
        if delta:
            self._publisher.publish(delta)
            self._publisher.confirm()  # whether a container uses them is noted beside its service

    def there(self) -> Mapping[str, tree.File]:
        """All files of ours as they lie there, modes and all."""
        return {path: found.file for path, found in self._publisher.found(()).items() if isinstance(found.file, tree.File)}

    def bring_back(self, files: Mapping[str, tree.File]) -> None:
        """Makes the files of ours these again."""
        now = self.there()
        delta: dict[str, tree.File | None] = {path: file for path, file in files.items() if now.get(path) != file}
        delta |= {path: None for path in now if path not in files}
        if delta:
            self._publisher.publish(delta)
            self._publisher.confirm()

    def adopt(self, changes: Sequence[Change]) -> None:
        paths = [change.name.removeprefix(PREFIX) for change in changes if change.action is Action.ADOPT]
        if paths:
            self._publisher.adopt(paths)

    def _file(self, resource: Resource | None) -> tree.File | None:
        if resource is None:
            return None
        mode = resource.spec.get("mode")
        if mode is None:
            return tree.File(resource.spec["content"])
        uid, _, gid = self._settings.secret_owner.partition(":")
        return tree.File(resource.spec["content"], int(mode, 8), (int(uid), int(gid) if gid else -1) if uid else None)

    def _ignores(self, path: str) -> bool:
        return any(fnmatchcase(path, pattern) for pattern in self._settings.ignore)


def contents(state: State) -> Mapping[str, bytes]:
    """The files of a state by path."""
    return {
        resource.name.removeprefix(PREFIX): resource.spec["content"]
        for resource in state
        if resource.name.startswith(PREFIX) and isinstance(resource.spec["content"], bytes)
    }


def digests(files: Mapping[str, bytes], key: bytes) -> Mapping[str, str]:
    return {path: fingerprint(content, key) for path, content in files.items()}
