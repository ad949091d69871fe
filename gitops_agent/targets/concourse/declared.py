"""What the folder says: `<team>/<pipeline>.yml` as Concourse has it, and beside the team's folder `<team>.yml` with what stands in
no pipeline: order, paused, exposed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_agent.declared import Declaration, read
from gitops_agent.document import Document
from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Files, Origin, Resource
from gitops_agent.targets.concourse.concealed import concealed
from gitops_agent.targets.concourse.mark import MARK
from gitops_agent.targets.concourse.written import NAMED, TOP, written

_IGNORED = re.compile(r"(.*/)?(\.[^/]*|[^/]*\.md)")
"""`.gitkeep`, `README.md`: for people."""
_PIPELINE = re.compile(r"(?P<team>[^/]+)/(?P<pipeline>[^/]+)\.ya?ml")
_TEAM = re.compile(r"(?P<team>[^/]+)\.ya?ml")
_NAME = re.compile(r"[a-z0-9][\w.-]{0,127}")


class Team(Declaration):
    """Names of pipelines of the team."""

    order: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()


def declared(files: Files) -> Iterator[Resource]:
    """`pipeline:<team>/<name>` with `config`, `paused` and `exposed`, then `order:<team>`. Raises InvalidRevision."""
    files = {path: content for path, content in files.items() if not _IGNORED.fullmatch(path)}
    pipelines: dict[str, list[tuple[str, str]]] = {}
    for path in files:
        if found := _PIPELINE.fullmatch(path):
            pipelines.setdefault(found["team"], []).append((_checked(found["pipeline"], path), path))
        elif not _TEAM.fullmatch(path):
            raise InvalidRevision("is nothing that a concourse folder holds: <team>/<pipeline>.yml, <team>.yml", file=path)
    teams = _teams(files)
    for team, (document, said) in teams.items():
        _refuse_strangers(team, document, said, [name for name, _ in pipelines.get(team, [])])
    for team, entries in pipelines.items():
        said = teams[team][1] if team in teams else Team()
        for name, path in entries:
            spec = {"config": _config(path, files[path]), "paused": name in said.paused, "exposed": name in said.exposed}
            yield Resource(f"pipeline:{team}/{name}", spec, shown=concealed(spec), origin=Origin(path))
    for team, (document, said) in teams.items():
        if said.order:
            yield Resource(f"order:{team}", {"pipelines": [*said.order]}, origin=Origin(document.file))


def _checked(name: str, path: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidRevision(f"{name!r} cannot be a pipeline's name: small letters, digits, _ . -", file=path)
    return name


def _teams(files: Files) -> dict[str, tuple[Document, Team]]:
    teams: dict[str, tuple[Document, Team]] = {}
    for path, content in files.items():
        if found := _TEAM.fullmatch(path):
            if found["team"] in teams:
                raise InvalidRevision(f"is there twice: {teams[found['team']][0].file}", file=path)
            document = Document(path, content)
            said = read(document, document.root, Team, Origin(path, 1)) if document.root is not None else Team()
            teams[found["team"]] = (document, said)
    return teams


def _refuse_strangers(team: str, document: Document, said: Team, known: list[str]) -> None:
    for entry in document.entries(document.root):
        names = getattr(said, entry.name)
        for index, name in enumerate(names):
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                message = f"{entry.name} names {name!r}, but there is no {team}/{name}.yml{hint}"
                raise InvalidRevision(message, file=document.file, line=entry.line)
            if name in names[:index]:
                raise InvalidRevision(f"{entry.name} names {name!r} twice", file=document.file, line=entry.line)


def _config(path: str, content: bytes) -> Mapping[str, Any]:
    document = Document(path, content)
    config: dict[str, Any] = {}
    for entry in document.entries(document.root):
        if entry.name not in TOP:
            continue
        value = document.plain(entry.node)
        if entry.name in NAMED:
            _refuse_nameless(document, entry.name, value, entry.line)
        elif entry.name == "user_data" and (not isinstance(value, dict) or MARK in value):
            message = f"user_data must be a mapping, without {MARK}: the agent's mark goes there"
            raise InvalidRevision(message, file=path, line=entry.line)
        config[entry.name] = value
    if not config.get("jobs"):
        raise InvalidRevision("is no pipeline: it has no jobs", file=path)
    return written(config)


def _refuse_nameless(document: Document, key: str, value: Any, line: int) -> None:
    """What Concourse would refuse too, but cannot be told of here: lists are kept by name."""
    seen: set[str] = set()
    for thing in value if isinstance(value, list) else [value] if value is not None else []:
        name = thing.get("name") if isinstance(thing, dict) else None
        if not isinstance(name, str) or not name:
            raise InvalidRevision(f"{key} must be a list of things with a name", file=document.file, line=line)
        if name in seen:
            raise InvalidRevision(f"{key} has {name!r} twice", file=document.file, line=line)
        seen.add(name)
