"""ACL tokens: `tokens.yaml`. A token's accessor follows from its name, so that it is the same one after any accident; its secret
goes to a file or comes from a secret store, and never to a plan, a log or an error.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import field_validator

from gitops_agent import secret
from gitops_agent.declared import declared
from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.model import Change, Files, Resource
from gitops_agent.secret.token_files import TokenFiles
from gitops_agent.target import Site
from gitops_agent.targets.consul import links
from gitops_agent.targets.consul.acl import NEEDS, AclType, Object
from gitops_agent.targets.consul.client import Client
from gitops_agent.targets.consul.settings import ConsulSettings

_NAMESPACE = uuid.UUID("6b8a0a9e-37d3-5b0f-9d43-a3c5f0c53a1c")
_KEPT = "holds the secret"
_FIXED = ("accessor_id", "local", "secret_id")
"""Fields that Consul never changes in a token: it is deleted and created again, with the same secret unless another is declared."""


class _Token(links.Links):
    accessor_id: uuid.UUID | None = None
    secret_id: str = ""
    roles: tuple[str, ...] = ()
    local: bool = False

    @field_validator("accessor_id")
    @classmethod
    def _not_anonymous(cls, accessor: uuid.UUID | None) -> uuid.UUID | None:
        if accessor is not None and accessor.int < 1 << 16:
            raise ValueError("is one of Consul's own tokens")
        return accessor


class Tokens(AclType):
    label: ClassVar = "token"
    files: ClassVar[re.Pattern[str]] = re.compile(r"tokens(-[^/]+)?\.ya?ml")
    example: ClassVar = "tokens.yaml"
    collection: ClassVar = "tokens"
    item: ClassVar = "token"
    identity: ClassVar = "AccessorID"

    def __init__(self, settings: ConsulSettings, site: Site, client: Client) -> None:
        super().__init__(client)
        self._site = site
        self._files = TokenFiles(settings.token_directory, "consul") if settings.token_directory else None
        self._digests: dict[str, tuple[int, str]] = {}
        """Keyed digests of secrets by accessor, with the ModifyIndex they go with: Consul before 1.13 tells them one by one."""

    def parse(self, files: Files) -> Iterator[Resource]:
        for one in declared(files, _Token, re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")):
            token, origin = one.value, one.origin
            spec: dict[str, Any] = {"accessor_id": str(token.accessor_id or self._accessor(one.name)), "local": token.local}
            spec |= {"roles": sorted(set(token.roles)), **token.spec()}
            if token.secret_id:
                if not secret.references(token.secret_id, self._site.key):
                    message = "secret_id must be a reference, {{ secret(…) }}: no secret belongs into the repository"
                    raise InvalidRevision.at(message, origin)
                spec["secret_id"] = token.secret_id
            if self._files is not None:
                spec["secret_file"] = _KEPT
            yield Resource(f"token:{one.name}", spec, origin=origin)

    def observe(self, desired: Sequence[Resource], owned: Collection[str]) -> Iterator[Resource]:
        for resource in desired:
            if not _is_uuid(resource.spec.get("secret_id", resource.spec["accessor_id"])):
                raise Unavailable(f"{resource.name}: the secret that its secret_id refers to is no UUID, which Consul asks for")
        yield from super().observe(desired, owned)

    def put(self, change: Change) -> None:
        live, spec = self._live.get(change.name), change.resource.spec
        name = change.name.removeprefix("token:")
        known = spec.get("secret_id") or ""
        if live and change.before and any(spec.get(field) != change.before.spec.get(field) for field in _FIXED):
            known = known or self._ask(live)
            self._client.write("delete", self._path(live), needs=NEEDS, accept=(404,))
            live = None
        elif not live and not known and self._files is not None:
            known = self._files.read(name)  # a Consul that is set up anew gives its clients what they had
        fixed = {"SecretID": known} if not live and _is_uuid(known) else {}
        written = self._write(self._path(live), {**self._body(change.resource, live), **fixed}, change.name)
        value = str(written["SecretID"])
        secret.remember(value)
        if self._files is not None:
            self._files.write(name, value)

    def delete(self, change: Change) -> None:
        if self._files is not None:  # first: a file that outlives its token would be nobody's to remove
            self._files.remove(change.name.removeprefix("token:"))
        super().delete(change)

    def accessor(self, name: str) -> str:
        """Of a token as last observed; empty for one that is not there."""
        return str(self._live.get(name, {}).get("AccessorID", ""))

    def _list(self) -> list[Object]:
        found: list[Object] = []
        for one in super()._list():
            value = one.get("SecretID", "")  # since Consul 1.13; what is not ours is not kept either
            if _is_uuid(value):
                self._digests[one["AccessorID"]] = one["ModifyIndex"], secret.fingerprint(value, self._site.key)
            found.append({name: field for name, field in one.items() if name != "SecretID"})
        return found

    def _name(self, found: Object, wanted: Mapping[str, Resource], owned: Collection[str]) -> str:
        """A token has no name in Consul but its description. Its accessor says more: everybody may write a description."""
        accessor, described = str(found["AccessorID"]), f"token:{found.get('Description')}"
        for name, resource in wanted.items():
            if resource.spec["accessor_id"] == accessor:
                return name
        ours = described in owned or accessor == self._accessor(str(found.get("Description")))
        if ours and described not in self._live and described not in wanted:
            return described
        if described in owned and described in wanted:  # its accessor was changed in the repository
            return described if described not in self._live else f"{described}@{accessor}"
        return f"token:{accessor}"

    def _spec(self, found: Object, wanted: Resource | None) -> Mapping[str, Any]:
        spec: dict[str, Any] = {"accessor_id": found["AccessorID"], "local": bool(found.get("Local"))}
        spec |= {"roles": sorted(link["Name"] for link in found.get("Roles") or []), **links.live(found)}
        if wanted is not None and "secret_id" in wanted.spec:
            same = self._digest(found) == secret.fingerprint(wanted.spec["secret_id"], self._site.key)
            spec["secret_id"] = wanted.spec["secret_id"] if same else "another"
        described = str(found.get("Description"))
        ours = wanted is not None or found["AccessorID"] == self._accessor(described)
        if self._files is not None and ours:
            kept = self._files.read(wanted.name.removeprefix("token:") if wanted else described)
            holds = secret.fingerprint(kept, self._site.key) == self._digest(found)
            spec["secret_file"] = _KEPT if holds else "does not hold the secret"
        return spec

    def _body(self, resource: Resource, live: Object | None) -> Object:  # noqa: ARG002
        spec = resource.spec
        return {
            "AccessorID": spec["accessor_id"],
            "Description": resource.name.removeprefix("token:"),
            "Local": spec["local"],
            "Roles": [{"Name": name} for name in spec["roles"]],
            **links.body(spec),
        }

    def _digest(self, found: Object) -> str:
        index, digest = self._digests.get(found["AccessorID"], (0, ""))
        if index != found["ModifyIndex"]:
            digest = secret.fingerprint(self._ask(found), self._site.key)
            self._digests[found["AccessorID"]] = found["ModifyIndex"], digest
        return digest

    def _ask(self, found: Object) -> str:
        value = str(self._client.read(f"/v1/acl/token/{found['AccessorID']}", needs=NEEDS).data["SecretID"])
        secret.remember(value)
        return value

    def _accessor(self, name: str) -> str:
        return str(uuid.uuid5(_NAMESPACE, f"{self._site.environment}/{name}"))


def _is_uuid(text: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) is not None
