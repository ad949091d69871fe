"""`directory-mounts`: single files of one directory that are mounted into one directory become a mount of the directory.

A mounted file is tied to its inode: who replaces it, as most editors do, changes nothing in the container; and a new file needs
a new mount. Only where the directory in the container holds nothing else, for that would be hidden.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import ClassVar, NamedTuple

import yaml

from gitops_agent.adopt.migrations.compose_text import ComposeText, entries
from gitops_agent.adopt.migrations.migration import ConfigRepo, Migration, Proposal
from gitops_agent.container.inventory import Inventory

_TIMEOUT = 60.0


class _Mount(NamedTuple):
    """One entry in `volumes:` of the short form."""

    node: yaml.Node
    source: PurePosixPath
    target: PurePosixPath
    mode: str


class DirectoryMounts(Migration):
    name: ClassVar = "directory-mounts"
    summary: ClassVar = "whole directories mounted instead of single files, so that files may be replaced and added"

    def propose(self, repo: ConfigRepo) -> Proposal:
        made = Proposal()
        directories = {target.folder: Path(getattr(target, "directory", "/")) for target in repo.targets("compose")}
        for path, compose in repo.compose().items():
            directory = directories[path.partition("/")[0]]
            changed = False
            for service, node in compose.services():
                for (source, target), mounts in _single_files(compose, node, directory).items():
                    hidden = self._hidden(repo, service, target, mounts)
                    if hidden:
                        made.not_done.append(f"{service}: {target} holds {hidden} besides, which a mounted directory would hide")
                        continue
                    modes = {mount.mode for mount in mounts}
                    mode = f":{modes.pop()}" if len(modes) == 1 and "" not in modes else ""
                    compose.replace(mounts[0].node, f"{_short(source)}:{target}{mode}")
                    for mount in mounts[1:]:
                        compose.remove_line(mount.node)
                    changed = True
                    names = ", ".join(mount.source.name for mount in mounts)
                    made.steps.append(f"{service}: {_short(source)} is mounted at {target}, instead of {names} one by one")
                    made.effects.append(f"makes the container of {service} anew")
            if changed:
                made.edits[path] = compose.changed()
        return made

    def _hidden(self, repo: ConfigRepo, service: str, target: PurePosixPath, mounts: list[_Mount]) -> str:
        """What else the running container has there; words where it cannot be looked at."""
        found = repo.running.get(service)
        if found is None:
            return "what nobody can tell, for no container runs it,"
        with closing(Inventory(timeout=_TIMEOUT)) as inventory:
            there = inventory.names(found.container.id, str(target))
        return ", ".join(sorted(there - {mount.target.name for mount in mounts})[:3])


def _single_files(
    compose: ComposeText, service: yaml.MappingNode, directory: Path
) -> dict[tuple[PurePosixPath, PurePosixPath], list[_Mount]]:
    """By directory on the host and in the container, as far as both call the files the same."""
    found: dict[tuple[PurePosixPath, PurePosixPath], list[_Mount]] = defaultdict(list)
    for mount in _mounts(compose, service):
        alike = mount.source.name == mount.target.name
        if alike and (directory / mount.source).is_file() and (directory / mount.source.parent) != directory:
            found[mount.source.parent, mount.target.parent].append(mount)
    return dict(found)


def _mounts(compose: ComposeText, service: yaml.MappingNode) -> Iterator[_Mount]:
    for name, node in entries(service):
        for item in node.value if name == "volumes" and isinstance(node, yaml.SequenceNode) else ():
            source, colon, rest = compose.value(item).partition(":")
            target, _, mode = rest.partition(":")
            if colon and source.startswith(("./", "/")):
                yield _Mount(item, PurePosixPath(source), PurePosixPath(target), mode)


def _short(path: PurePosixPath) -> str:
    return str(path) if path.is_absolute() else f"./{path}"
