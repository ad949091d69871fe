"""What the folder says, from its text alone: services, networks and volumes of the Compose files, and every file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

import yaml

from gitops_agent.document import Document, Entry
from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Files, Resource, Value
from gitops_agent.targets.compose.behaviour import Behaviour
from gitops_agent.targets.compose.settings import ComposeSettings

SECTIONS: Mapping[str, str] = {"services": "service", "networks": "network", "volumes": "volume"}
_REFUSED: Mapping[str, str] = {
    "build": "is not built here: name an image that a pipeline has built",
    "profiles": "has profiles; a service that is not always there belongs to another project",
}
_NAME = re.compile(r"[a-zA-Z0-9._-]+")


def parse(files: Files, settings: ComposeSettings) -> Iterator[Resource]:
    """Services, networks and volumes; of a name in several files the definitions are told by file. Raises InvalidRevision."""
    found: dict[str, Resource] = {}
    for path in settings.files:
        if path not in files:
            raise InvalidRevision("is not there; agent.toml names it in `files`", file=path)
        for resource in _parse_one(path, files[path], settings):
            if (other := found.get(resource.name)) is not None:
                resource = replace(other, spec={**other.spec, path: resource.spec["definition"]})  # noqa: PLW2901 -- merged
            found[resource.name] = resource
    if not any(name.startswith("service:") for name in found):
        raise InvalidRevision("declares no service", file=settings.files[0])
    yield from found.values()


def definition(resource: Resource) -> Mapping[str, Value]:
    """The service's texts of all files, merged by name."""
    merged: dict[str, Value] = {}
    for part in resource.spec.values():
        if isinstance(part, Mapping):
            merged |= part
    return merged


def _parse_one(path: str, content: bytes, settings: ComposeSettings) -> Iterator[Resource]:
    document = Document(path, content)
    for section in document.entries(document.root):
        if section.name == "include":
            raise document.error("include is not supported: name several files in agent.toml", section.node)
        if section.name == "name" and document.plain(section.node) != settings.project:
            raise document.error(
                f"the project is {settings.project!r} in agent.toml; another name is another project", section.node
            )
        if section.name in SECTIONS and not _is_empty(section.node):
            for entry in document.entries(section.node):
                yield from _resource(document, section.name, entry, settings)


def _resource(document: Document, section: str, entry: Entry, settings: ComposeSettings) -> Iterator[Resource]:
    if not _NAME.fullmatch(entry.name):
        raise document.error(f"{entry.name!r} is no name", entry.node)
    value = {} if _is_empty(entry.node) else document.plain(entry.node)
    if not isinstance(value, dict):
        raise document.error(f"{entry.name} must be a mapping", entry.node)
    if section == "services":
        for key, why in _REFUSED.items():
            if key in value and not (key == "build" and settings.allow_build):
                raise document.error(f"{entry.name} {why}", entry.node)
        try:
            Behaviour.of(value)
        except InvalidRevision as error:
            raise document.error(f"{entry.name}: {error.message}", entry.node) from None
    elif value.get("external"):
        return
    origin = replace(document.origin(entry.node), line=entry.line)
    yield Resource(f"{SECTIONS[section]}:{entry.name}", {"definition": value}, origin=origin)


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value in ("", "~", "null")
