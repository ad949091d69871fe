"""What provisioning files declare, looked through before they are published: with two default data sources, or a uid twice, Grafana
refuses to start, and of a dashboard that it cannot use it only says so in its log.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import yaml

from gitops_agent.document import Document
from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Files


@dataclass(frozen=True)
class Declared:
    """Names of data sources and titles of dashboards, by uid."""

    sources: Mapping[str, str] = field(default_factory=dict)
    dashboards: Mapping[str, str] = field(default_factory=dict)


def declared(files: Files) -> Declared:
    """Raises InvalidRevision with file and line."""
    sources: dict[str, str] = {}
    dashboards: dict[str, str] = {}
    once = _Once()
    for path, content in sorted(files.items()):
        where = PurePosixPath(path)
        if str(where.parent) == "datasources" and where.suffix in (".yaml", ".yml"):
            sources.update(_sources(Document(path, content), once))
        elif str(where.parent) == "dashboards" and where.suffix in (".yaml", ".yml"):
            _check_providers(Document(path, content), once)
        elif where.parts[0] == "dashboards" and where.suffix == ".json":
            uid, title = _dashboard(path, content)
            once.claim("dashboard uid", uid, path, InvalidRevision, file=path)
            dashboards[uid] = title
    return Declared(sources, dashboards)


class _Once:
    """What may be there once only, with the place where it was seen."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], str] = {}

    def claim(self, what: str, name: str, place: str, refuse: Callable[..., InvalidRevision], **more: object) -> None:
        other = self._seen.setdefault((what, name), place)
        if other != place:
            raise refuse(f"{what} {name!r} is here twice; the other is in {other}", **more)


def _sources(document: Document, once: _Once) -> Iterator[tuple[str, str]]:
    for source in _items(document, "datasources"):
        plain = document.plain(source)
        if not isinstance(plain, dict):
            raise document.error("a data source must be a mapping", source)
        for required in ("name", "type", "uid"):
            if not isinstance(plain.get(required), str) or not plain[required]:
                why = "; without it Grafana makes one up, and dashboards cannot name it" if required == "uid" else ""
                raise document.error(f"a data source needs `{required}`, a text{why}", source)
        organisation = str(plain.get("orgId", 1))
        place = str(document.origin(source))
        once.claim("data source uid", plain["uid"], place, document.error, node=source)
        once.claim(f"data source of organisation {organisation}", plain["name"], place, document.error, node=source)
        if plain.get("isDefault") is True:
            once.claim("the default data source of organisation", organisation, place, document.error, node=source)
        yield plain["uid"], plain["name"]


def _check_providers(document: Document, once: _Once) -> None:
    for provider in _items(document, "providers"):
        plain = document.plain(provider)
        options = plain.get("options") if isinstance(plain, dict) else None
        if not isinstance(plain, dict) or not isinstance(plain.get("name"), str):
            raise document.error("a provider of dashboards needs a `name`", provider)
        if plain.get("type", "file") == "file" and not (isinstance(options, dict) and options.get("path")):
            raise document.error("a provider of dashboards needs `options: {path: …}`, where Grafana finds them", provider)
        once.claim("provider", plain["name"], str(document.origin(provider)), document.error, node=provider)


def _items(document: Document, name: str) -> list[yaml.Node]:
    """The list under that name, empty where there is none."""
    for entry in document.entries(document.root):
        if entry.name == name:
            if not isinstance(entry.node, yaml.SequenceNode):
                raise document.error(f"`{name}` must be a list", entry.node)
            return list(entry.node.value)
    return []


def _dashboard(path: str, content: bytes) -> tuple[str, str]:
    try:
        found = json.loads(content)
    except UnicodeDecodeError:
        raise InvalidRevision("is not UTF-8", file=path) from None
    except json.JSONDecodeError as error:
        raise InvalidRevision(f"is no JSON: {error.msg}", file=path, line=error.lineno) from None
    except RecursionError:
        raise InvalidRevision("is nested too deep", file=path) from None
    for required in ("uid", "title"):
        if not isinstance(found, dict) or not isinstance(found.get(required), str) or not found[required].strip():
            raise InvalidRevision(f"a dashboard needs `{required}`, a text", file=path)
    return found["uid"], found["title"]
