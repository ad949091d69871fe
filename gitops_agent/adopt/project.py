"""The Compose project as one target: the files that Compose reads, and those that its services mount and no other target takes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gitops_agent.adopt.areas import Area, taken
from gitops_agent.adopt.landscape import Landscape
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.mounts import Mounts, is_scratch
from gitops_agent.errors import ConfigError

_NOT_OURS = frozenset({".git", ".gitops-agent", ".github", ".gitea", ".venv", "node_modules"})


@dataclass(frozen=True)
class Project:
    """`files` by path below `directory`; `declared` the services of the Compose files; `secret` those of its files that Compose
    hands out as secrets."""

    directory: Path
    files: Mapping[str, bytes]
    declared: Mapping[str, Mapping[str, Any]]
    secret: frozenset[str]


def describe(landscape: Landscape, mounts: Mounts, areas: Sequence[Area], left: Left) -> Project:
    """Raises ConfigError for a Compose file that cannot be read."""
    directory = landscape.directory
    documents = [_read(directory / name) for name in landscape.files]
    said = [path for document in documents for path in _named(document)]
    paths = {directory / name for name in landscape.files} | {(directory / path).resolve() for path in said}
    paths |= {directory / ".env"} if (directory / ".env").is_file() and not landscape.env_file else set()
    elsewhere = [area.directory for area in areas]
    for use in mounts.config:
        if not any(use.source.is_relative_to(place) for place in elsewhere):
            paths |= set(taken(use.source, mounts, left))
    for path in sorted(path for path in paths if not path.is_relative_to(directory)):
        left.add(Why.ATTENTION, str(path), "lies outside the project's directory: name a target of kind files for it")
    files = {str(path.relative_to(directory)): path.read_bytes() for path in sorted(paths) if _is_ours(path, directory)}
    secret = frozenset(os.path.normpath(path) for document in documents for path in _secret_files(document))
    _tell_the_rest(landscape, mounts, areas, files, left)
    services: dict[str, Mapping[str, Any]] = {}
    for document in documents:
        for name, service in (document.get("services") or {}).items():
            services[name] = {**services.get(name, {}), **(service or {})}
    return Project(directory, files, services, secret)


def _is_ours(path: Path, directory: Path) -> bool:
    return path.is_relative_to(directory) and path.is_file() and not path.is_symlink()


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    return found if isinstance(found, dict) else {}


def _named(document: Mapping[str, Any]) -> Iterator[str]:
    """Other files that Compose itself reads."""
    for service in (document.get("services") or {}).values():
        listed = (service or {}).get("env_file") or []
        for one in [listed] if isinstance(listed, str) else listed:
            yield one if isinstance(one, str) else one["path"]
        extended = (service or {}).get("extends")
        if isinstance(extended, dict) and "file" in extended:
            yield extended["file"]
    yield from _secret_files(document)
    yield from _files_of(document, "configs")


def _secret_files(document: Mapping[str, Any]) -> Iterator[str]:
    return _files_of(document, "secrets")


def _files_of(document: Mapping[str, Any], section: str) -> Iterator[str]:
    for one in (document.get(section) or {}).values():
        if isinstance(one, dict) and isinstance(one.get("file"), str):
            yield one["file"]


def _tell_the_rest(landscape: Landscape, mounts: Mounts, areas: Sequence[Area], files: Mapping[str, bytes], left: Left) -> None:
    """What lies in the directory and nothing reads."""
    known = {landscape.directory / path for path in files} | {area.directory / path for area in areas for path in area.files}
    told = {what for _, things in left for what in things}
    for parent, folders, names in os.walk(landscape.directory):
        folders[:] = sorted(name for name in folders if name not in _NOT_OURS and not mounts.writer(Path(parent, name)))
        for path in (Path(parent, name) for name in sorted(names)):
            if path not in known and str(path) not in told and not mounts.writer(path):
                left.add(Why.UNMOUNTED, str(path), "a copy or a log" if is_scratch(path.name) else "")
