"""Mappings of names to things in YAML, read into frozen models; a mistake names file, line and the nearest valid name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from gitops_agent.document import Document
from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Files, Origin


class Declaration(BaseModel):
    """Base of what a YAML file may say of one thing."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_Model = TypeVar("_Model", bound=Declaration)


@dataclass(frozen=True)
class Declared(Generic[_Model]):
    name: str
    value: _Model
    origin: Origin


def declared(files: Files, model: type[_Model], names: re.Pattern[str]) -> Iterator[Declared[_Model]]:
    """What every file says, as `name: {…}`. Raises InvalidRevision."""
    for path, content in files.items():
        document = Document(path, content)
        for entry in document.entries(document.root):
            origin = Origin(path, entry.line)
            if not names.fullmatch(entry.name):
                raise InvalidRevision(f"{entry.name!r} cannot be a name here", file=path, line=entry.line)
            yield Declared(entry.name, read(document, entry.node, model, origin), origin)


def read(document: Document, node: yaml.Node, model: type[_Model], origin: Origin) -> _Model:
    try:
        return model.model_validate(document.plain(node) or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at, field = _locate(document, node, first["loc"])
        line = document.line(at) if at is not node else origin.line
        raise InvalidRevision(_words(first["type"], first["msg"], field, model), file=origin.file, line=line) from None


def _words(kind: str, message: str, field: str, model: type[BaseModel]) -> str:
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(field, model.model_fields, n=1)
        return f"{field} is not known here" + (f"; did you mean {near[0]!r}?" if near else "")
    if kind == "missing":
        return f"{field} is missing"
    said = message.removeprefix("Value error, ").removeprefix("Input ")
    return f"{field}: {said[:1].lower()}{said[1:]}".removeprefix(": ")


def _locate(document: Document, node: yaml.Node, path: tuple[int | str, ...]) -> tuple[yaml.Node, str]:
    """The node that a path of pydantic's leads to, as far as it leads, and the last name on it."""
    field = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
    for part in path:
        if isinstance(node, yaml.MappingNode):
            inner = next((entry.node for entry in document.entries(node) if entry.name == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            inner = node.value[part]
        else:
            inner = None
        if inner is None:
            break
        node = inner
    return node, field
