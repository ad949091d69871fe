"""Nomad variables: `variables.yaml`, items by path. Written with check-and-set; what a live one holds is never shown."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import yaml

from gitops_agent.document import Document
from gitops_agent.errors import Conflict, InvalidRevision
from gitops_agent.model import Change, Files, Origin, Resource
from gitops_agent.targets.nomad.client import Client
from gitops_agent.targets.nomad.listed import Listed
from gitops_agent.targets.nomad.memory import Known, Memory, digest
from gitops_agent.targets.nomad.words import Object

_PATH = re.compile(r"(?!nomad/(?!jobs|job-templates)|gitops-agent/)[a-zA-Z0-9_~-]+(/[a-zA-Z0-9_~-]+)*")
"""Below `nomad/` is Nomad's own, below `gitops-agent/` are the records of what is owned."""
_LONGEST = 128
_MOST_BYTES = 64 * 1024
_ANOTHER = "(another value)"
"""Stands for what a live variable holds where it differs: it may be anybody's secret."""


class Variables(Listed):
    label: ClassVar = "variable"
    files: ClassVar[re.Pattern[str]] = re.compile(r"variables(-[^/]+)?\.ya?ml")
    example: ClassVar = "variables.yaml"
    collection: ClassVar = "vars"
    whole_in_list: ClassVar = False
    stamp: ClassVar = "ModifyTime"

    def __init__(self, client: Client, memory: Memory, key: bytes, namespace: str) -> None:
        super().__init__(client, memory, key)
        self._namespace = namespace

    def parse(self, files: Files) -> Iterator[Resource]:
        for path, content in files.items():
            document = Document(path, content)
            for entry in document.entries(document.root):
                name = entry.name
                if not _PATH.fullmatch(name) or len(name) > _LONGEST:
                    raise InvalidRevision(f"{name!r} cannot be the path of a variable here", file=path, line=entry.line)
                items = {item.name: _item(document, item.node) for item in document.entries(entry.node)}
                if not items:
                    raise InvalidRevision(f"{name} has no items", file=path, line=entry.line)
                yield Resource(f"variable:{name}", {"items": items}, origin=Origin(path, entry.line))

    def observe(self, desired: Sequence[Resource], owned: Collection[str]) -> Iterator[Resource]:
        for wanted in desired:
            size = sum(len(name.encode()) + len(value.encode()) for name, value in wanted.spec["items"].items())
            if size > _MOST_BYTES:
                raise _too_big(wanted, size)
        return super().observe(desired, owned)

    def put(self, change: Change) -> None:
        """Raises Conflict when the variable was changed since it was read."""
        path = change.name.removeprefix("variable:")
        body = {"Namespace": self._namespace, "Path": path, "Items": change.resource.spec["items"]}
        cas = {"cas": 0 if change.before is None else change.before.version}
        answer = self._client.write("put", f"var/{path}", needs=self._needs("write"), parameters=cas, body=body, accept=(409,))
        if answer.status == 409:
            raise _conflict(change)
        now = Known(digest(change.resource, self._key), int(answer.data["ModifyIndex"]), answer.data["ModifyTime"])
        self._memory.known[change.name] = now

    def delete(self, change: Change) -> None:
        cas = {"cas": change.resource.version}
        answer = self._client.write(
            "delete", self._path(change.name), needs=self._needs("destroy"), parameters=cas, accept=(204, 404, 409)
        )
        if answer.status == 409 and self._asked_for(change.name) is not None:
            raise _conflict(change)

    def _name(self, row: Object) -> str:
        return f"variable:{row['Path']}"

    def _path(self, name: str) -> str:
        return f"var/{name.removeprefix('variable:')}"

    def _needs(self, what: str) -> str:
        return f'namespace "{self._namespace}" {{ variables {{ path "…" {{ capabilities = ["{what}"] }} }} }} for each variable'

    def _hidden(self, name: str) -> bool:
        """Nomad leaves out of the list what the token may not list."""
        return self._asked_for(name) is not None

    def _spec(self, found: Object, wanted: Resource) -> Mapping[str, Any]:
        declared = wanted.spec["items"]
        items = {name: value if declared.get(name) == value else _ANOTHER for name, value in found["Items"].items()}
        return {"items": items}


def _item(document: Document, node: yaml.Node) -> str:
    """As written: `8080` and `yes` are texts."""
    if not isinstance(node, yaml.ScalarNode):
        raise document.error("must be a text", node)
    return str(node.value)


def _conflict(change: Change) -> Conflict:
    return Conflict(f"{change.name} was changed by somebody else in the meantime")


def _too_big(resource: Resource, size: int) -> InvalidRevision:
    message = f"{resource.name} has {size} bytes, {_MOST_BYTES} fit into a Nomad variable"
    return InvalidRevision.at(message, resource.origin)
