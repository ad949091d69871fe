"""What engines and auth methods are configured with, by path: `paths.yaml`.

An answer of Vault has defaults, durations as seconds and computed fields in it, and lacks what is write-only. So each declared
field is compared for its meaning; one that is not in the answer by the keyed digest of what was last written; and one that is
only in the answer counts as nobody's while it is empty, a known default, or what Vault itself made of it when the object was last
written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from gitops_agent.document import Document
from gitops_agent.errors import ApplyFailed, InvalidRevision
from gitops_agent.model import Change, Files, Origin, Resource
from gitops_agent.target import Site
from gitops_agent.targets.vault import fields
from gitops_agent.targets.vault.client import Client
from gitops_agent.targets.vault.mounts import Engines
from gitops_agent.targets.vault.record import Note
from gitops_agent.targets.vault.resource_type import NOTHING, Notes, Resources, ResourceType

_NAME = re.compile(r"[A-Za-z0-9][\w.@+:-]*(/[\w.@+:-]+)+")
_SYSTEM = re.compile(r"sys/(?!quotas/|config/|policies/password/).*")
_ISSUING = re.compile(
    r"auth/token/(create|renew|revoke|lookup).*|.*/(creds|static-creds|issue|sign|login|secret-id|custom-secret-id)(/.*)?"
)
_ANOTHER = "(another value than the last one written)"


class Paths(ResourceType):
    label: ClassVar = "path"
    files: ClassVar[re.Pattern[str]] = re.compile(r"paths(-[^/]+)?\.ya?ml")
    example: ClassVar = "paths.yaml"

    def __init__(self, client: Client, engines: Engines, site: Site) -> None:
        self._client = client
        self._engines = engines
        self._digest = fields.digester(site.key)
        self._owned: Notes = {}

    def parse(self, files: Files) -> Iterator[Resource]:
        for path, content in files.items():
            document = Document(path, content)
            for entry in document.entries(document.root):
                _refuse_elsewhere(entry.name, path, entry.line)
                spec = {one.name: document.plain(one.node) for one in document.entries(entry.node)}
                yield Resource(f"path:{entry.name}", spec, origin=Origin(path, entry.line))

    def observe(self, desired: Resources, owned: Notes) -> Iterator[Resource]:
        self._owned = owned
        for name in {**desired, **owned}:
            wanted = desired.get(name)
            if wanted is not None:
                self._refuse_entries(wanted)
            answer = self._client.read(_path(name))
            if answer.status == 404 or (answer.status == 405 and name not in owned):
                continue
            ours = name in owned
            if not ours and all(fields.unsaid(field, value, answer.data) for field, value in answer.data.items()):
                continue  # a configuration that was there before anybody set it
            yield Resource(name, self._spec(wanted, answer.data, owned.get(name)), owned=ours)

    def put(self, change: Change) -> Note:
        spec = change.resource.spec
        before = change.before.spec if change.before else {}
        # What cannot be read stays as it is: an empty token makes Vault take over a Consul that has no ACLs yet.
        taken_back = {field: value for field, value in before.items() if field not in spec and value != _ANOTHER}
        path = _path(change.name)
        self._client.write(path, {**{field: fields.reset(field, value) for field, value in taken_back.items()}, **spec})
        answer = self._client.read(path).data
        # What was never declared is left after this one attempt: a newer Vault may have it in every answer.
        said = self._owned.get(change.name, NOTHING).said
        for field in (field for field in taken_back if field in said and field in answer):
            if answer[field] == taken_back[field] and not fields.unsaid(field, answer[field], answer):
                raise ApplyFailed(f"{change.name}: {field} cannot be taken back; declare it, or delete {path} by hand")
        untold = {field: value for field, value in answer.items() if field not in spec}
        return Note(
            {field: self._digest(value) for field, value in spec.items() if field not in answer},
            {field: self._digest(value) for field, value in untold.items() if not fields.unsaid(field, value, answer)},
            tuple(sorted(spec)),
        )

    def delete(self, change: Change) -> None:
        """Where Vault cannot delete (an engine's own configuration), it goes with its engine; until then it is nobody's."""
        self._client.delete(_path(change.name))

    def adopt(self, change: Change) -> Mapping[str, str]:
        """What cannot be read is taken to be as declared."""
        answer = self._client.read(_path(change.name)).data
        return {field: self._digest(value) for field, value in change.resource.spec.items() if field not in answer}

    def _spec(self, wanted: Resource | None, live: Mapping[str, Any], note: Note | None) -> Mapping[str, Any]:
        """The answer in the words of the repository wherever both mean the same."""
        said = wanted.spec if wanted is not None else {}
        written, untold = (note.written, note.untold) if note is not None else ({}, {})
        spec: dict[str, Any] = {}
        for field, value in said.items():
            if field in live:
                spec[field] = fields.echo(value, live[field])
            else:
                # Of somebody else's it cannot be told.
                same = note is None or written.get(field) == self._digest(value)
                spec[field] = value if same else _ANOTHER
        for field, value in live.items():
            chosen = untold.get(field) == self._digest(value)
            if field not in said and not chosen and not fields.unsaid(field, value, live):
                spec[field] = value
        # What was written once, cannot be read and is not declared any more.
        return spec | {field: _ANOTHER for field in written if wanted is not None and field not in said and field not in live}

    def _refuse_entries(self, wanted: Resource) -> None:
        mount, _, rest = _path(wanted.name).partition("/")
        if rest.startswith(("data/", "metadata/")) and self._engines.is_kv2(mount):
            message = f"{wanted.name} is an entry of KV version 2: declare it in kv.yaml"
            raise InvalidRevision.at(message, wanted.origin)


def _refuse_elsewhere(name: str, file: str, line: int) -> None:
    if not _NAME.fullmatch(name) or {".", ".."} & {*name.split("/")}:
        raise InvalidRevision(f"{name!r} cannot be a path of the API", file=file, line=line)
    if _SYSTEM.fullmatch(name):
        raise InvalidRevision(f"{name} has a file of its own, or is not for the repository", file=file, line=line)
    if _ISSUING.fullmatch(name):
        raise InvalidRevision(f"{name} issues credentials each time it is written", file=file, line=line)


def _path(name: str) -> str:
    return name.removeprefix("path:")
