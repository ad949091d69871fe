"""What the types of resources in Consul's ACL system have in common: a list, an object each, writes one by one.

The ACL API has no compare-and-set. What somebody changes between plan and apply is overwritten, as the next run would do anyhow;
what somebody creates in between makes the creation fail.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from gitops_agent.errors import ApplyFailed, Conflict, Unavailable
from gitops_agent.model import Change, Resource
from gitops_agent.targets.consul.client import Client
from gitops_agent.targets.consul.resource_type import SingleType

NEEDS = 'acl = "write"'
Object = Mapping[str, Any]
"""As the API has it."""


class AclType(SingleType):
    collection: ClassVar[str]
    """`policies`, in `/v1/acl/policies`."""
    item: ClassVar[str]
    """`policy`, in `/v1/acl/policy/<identity>`."""
    identity: ClassVar[str] = "ID"
    """The field that says which one is meant."""
    whole_in_list: ClassVar[bool] = True
    """Whether the list says everything, or each object must be asked for."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._live: dict[str, Object] = {}
        """By name, as last observed: holds the identity, and fields that nobody declares."""
        self._whole: dict[str, Object] = {}
        """By identity. An object is asked for again when its ModifyIndex in the list is another: a list costs one call, the objects
        one each. Thrown away with the process."""

    def observe(self, desired: Sequence[Resource], owned: Collection[str]) -> Iterator[Resource]:
        wanted = {resource.name: resource for resource in desired}
        self._live = {}
        try:
            for found in sorted(self._list(), key=self._said):  # Consul's order is that of random identities
                name = self._name(found, wanted, owned)
                self._live[name] = found
                spec = self._spec(found, wanted.get(name))
                yield Resource(name, spec, version=int(found["ModifyIndex"]), owned=name in owned)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Unavailable("what answers instead of consul speaks nonsense") from None

    def put(self, change: Change) -> None:
        live = self._live.get(change.name)
        self._write(self._path(live), self._body(change.resource, live), change.name)

    def delete(self, change: Change) -> None:
        live = self._live.pop(change.name)
        self._client.write("delete", self._path(live), needs=NEEDS, accept=(404,))

    @property
    def names(self) -> Collection[str]:
        """Of all that were observed."""
        return self._live.keys()

    @abstractmethod
    def _spec(self, found: Object, wanted: Resource | None) -> Mapping[str, Any]:
        """The live object in the shape of the desired."""

    @abstractmethod
    def _body(self, resource: Resource, live: Object | None) -> Object:
        """What is written; a write replaces every field, so what nobody declares must be in it too."""

    def _name(self, found: Object, wanted: Mapping[str, Resource], owned: Collection[str]) -> str:  # noqa: ARG002 -- for tokens
        return f"{self.label}:{found['Name']}"

    def _said(self, found: Object) -> tuple[str, str]:
        return str(found.get("Name") or found.get("Description") or ""), str(found[self.identity])

    def _path(self, live: Object | None) -> str:
        return f"/v1/acl/{self.item}" + (f"/{live[self.identity]}" if live else "")

    def _write(self, path: str, body: Object, name: str) -> Any:
        try:
            return self._client.write("put", path, needs=NEEDS, body=body).data
        except ApplyFailed as error:
            if "already exists" in str(error) or "already in use" in str(error):
                raise Conflict(f"{name} was created by somebody else in the meantime") from None
            raise ApplyFailed(f"{name}: {error}") from None

    def _list(self) -> list[Object]:
        listed = self._client.read(f"/v1/acl/{self.collection}", needs=NEEDS).data or []
        found = [one if self.whole_in_list else self._asked_for(one) for one in listed]
        return [one for one in found if one is not None]

    def _asked_for(self, stub: Object) -> Object | None:
        identity = stub[self.identity]
        known = self._whole.get(identity)
        if known is None or known["ModifyIndex"] != stub["ModifyIndex"]:
            # None when it was deleted since the list was made.
            known = self._client.read(f"/v1/acl/{self.item}/{identity}", needs=NEEDS).data
            if known is not None:
                self._whole[identity] = known
        return known
