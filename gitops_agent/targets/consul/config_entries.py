"""Config entries: `config-entries/*.yaml` (or `.json`), one each, with Consul's own names, as `consul config write` takes them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from gitops_agent.document import Document
from gitops_agent.errors import ApplyFailed, Conflict, InvalidRevision, Unavailable
from gitops_agent.model import Change, Files, Origin, Resource
from gitops_agent.targets.consul import likeness
from gitops_agent.targets.consul.client import Client
from gitops_agent.targets.consul.resource_type import SingleType

_ADDED = ("Kind", "Name", "CreateIndex", "ModifyIndex", "Hash", "Status", "Precedence")
"""Fields that are Consul's own, at any depth for the last."""
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "service-intentions": {"Type": "consul"},
    "ingress-gateway": {"Protocol": "tcp", "MaxConnections": 0, "MaxPendingRequests": 0, "MaxConcurrentRequests": 0},
    "http-route": {"Weight": 1, "Kind": "api-gateway", "Path": {"Match": "prefix", "Value": "/"}},
    "tcp-route": {"Kind": "api-gateway"},
    "jwt-provider": {"ClockSkewSeconds": 30},
}
"""Other than empty ones, by kind and field."""
_ENTERPRISE = {"Namespace": "default", "Partition": "default"}
_ORDER = (
    *("proxy-defaults", "mesh", "jwt-provider", "service-defaults", "service-resolver", "service-splitter", "service-router"),
    *(
        "service-intentions",
        "inline-certificate",
        "file-system-certificate",
        "api-gateway",
        "ingress-gateway",
        "terminating-gateway",
    ),
    *("http-route", "tcp-route", "exported-services", "sameness-group", "control-plane-request-limit"),
)
"""All kinds, in the order in which they need each other: a router only goes with a protocol that is known to be HTTP."""
_SINGLE = {"proxy-defaults": "global", "mesh": "mesh"}
"""Kinds of which there is one, with its name."""


class ConfigEntries(SingleType):
    label: ClassVar = "config"
    files: ClassVar[re.Pattern[str]] = re.compile(r"config-entries/.+\.(ya?ml|json)")
    example: ClassVar = "config-entries/*.yaml"

    def __init__(self, client: Client) -> None:
        self._client = client
        self._settled: dict[str, tuple[Mapping[str, Any], int]] = {}
        """By name: what was written, and the ModifyIndex it got. Whatever Consul made of it, it is that until it is written again:
        a default that is not known here costs one write too many after a restart, and not one in every run."""

    def parse(self, files: Files) -> Iterator[Resource]:
        for path, content in files.items():
            document = Document(path, content)
            entry = {one.name: document.plain(one.node) for one in document.entries(document.root)}
            kind = entry.pop("Kind", None)
            name = entry.pop("Name", _SINGLE.get(str(kind)))
            if kind not in _ORDER:
                raise InvalidRevision(f"needs a Kind that is one of {', '.join(_ORDER)}", file=path)
            if not isinstance(name, str) or not name or "/" in name:
                raise InvalidRevision("needs a Name", file=path)
            yield Resource(f"config:{kind}/{name}", likeness.durations(entry), origin=Origin(path))

    def observe(self, desired: Sequence[Resource], owned: Collection[str]) -> Iterator[Resource]:
        wanted = {resource.name: resource for resource in desired}
        concerned = sorted({*wanted, *owned})
        for kind in sorted({_kind(name) for name in concerned}, key=_ORDER.index):
            found = {f"config:{kind}/{one['Name']}": one for one in self._list(kind, desired)}
            for name in concerned:
                if _kind(name) == kind and name not in found and (one := self._ask(name)):
                    found[name] = one
            for name, one in found.items():
                yield Resource(name, self._spec(name, one, wanted.get(name)), version=one["ModifyIndex"], owned=name in owned)

    def everything(self) -> Iterator[Resource]:
        """What there is of all kinds that this Consul knows, whoever wrote it."""
        for kind in _ORDER:
            with suppress(InvalidRevision):
                for found in self._list(kind, ()):
                    yield Resource(f"config:{kind}/{found['Name']}", self._spec("", found, None), version=found["ModifyIndex"])

    def rank(self, name: str) -> int:
        return _ORDER.index(_kind(name))

    def put(self, change: Change) -> None:
        index = int(change.before.version) if change.before else 0
        kind, name = _parts(change.name)
        body = {**change.resource.spec, "Kind": kind, **({"Name": name} if kind != "mesh" else {})}
        try:
            answer = self._client.write("put", "/v1/config", needs=_needs(change.name), parameters=[("cas", index)], body=body)
        except ApplyFailed as error:
            raise ApplyFailed(f"{change.name}: {error}") from None
        if answer.data is not True:
            raise Conflict(f"{change.name} was changed by somebody else in the meantime")
        if (written := self._ask(change.name)) is not None:
            self._settled[change.name] = change.resource.spec, written["ModifyIndex"]

    def delete(self, change: Change) -> None:
        kind, name = _parts(change.name)
        index = int(change.before.version) if change.before else 0
        # Consul before 1.12 does not look at `cas` here.
        path, parameters = f"/v1/config/{kind}/{name}", [("cas", index)]
        answer = self._client.write("delete", path, needs=_needs(change.name), parameters=parameters, accept=(404,))
        if answer.data is False and self._ask(change.name) is not None:
            raise Conflict(f"{change.name} was changed by somebody else in the meantime")

    def _list(self, kind: str, desired: Sequence[Resource]) -> list[Mapping[str, Any]]:
        try:
            found = self._client.read(f"/v1/config/{kind}", needs=_needs(f"config:{kind}/*")).data or []
        except Unavailable as error:
            if "invalid config entry kind" not in str(error):
                raise
            file = next((str(one.origin) for one in desired if _kind(one.name) == kind), "")
            raise InvalidRevision(f"this Consul knows no config entries of kind {kind}", file=file) from None
        if not isinstance(found, list) or not all(
            isinstance(one, Mapping) and {"Name", "ModifyIndex"} <= {*one, "Name"} for one in found
        ):
            raise Unavailable("what answers instead of consul speaks nonsense")
        return [{"Name": _SINGLE.get(kind), **one} for one in found]

    def _ask(self, name: str) -> Mapping[str, Any] | None:
        """One entry: a list leaves out what the token may not see, and before Consul 1.11 without a word."""
        kind, rest = _parts(name)
        found = self._client.read(f"/v1/config/{kind}/{rest}", needs=_needs(name)).data
        return found if isinstance(found, Mapping) and "ModifyIndex" in found else None

    def _spec(self, name: str, found: Mapping[str, Any], wanted: Resource | None) -> Mapping[str, Any]:
        live: dict[str, Any] = likeness.durations(_bare({field: value for field, value in found.items() if field not in _ADDED}))
        if wanted is None:
            return live
        if self._settled.get(name) == (wanted.spec, found["ModifyIndex"]):
            return wanted.spec
        echoed: dict[str, Any] = likeness.echo(wanted.spec, live, {**_ENTERPRISE, **_DEFAULTS.get(_kind(name), {})})
        return echoed


def _parts(name: str) -> tuple[str, str]:
    kind, _, rest = name.removeprefix("config:").partition("/")
    return kind, rest


def _kind(name: str) -> str:
    return _parts(name)[0]


def _needs(name: str) -> str:
    kind, rest = _parts(name)
    if not kind.startswith("service-"):
        return 'operator = "write"'
    rule = "service_prefix" if rest == "*" else "service"
    access = 'intentions = "write"' if kind == "service-intentions" else 'policy = "write"'
    return f'{rule} "{rest.removesuffix("*")}" {{ {access} }}'


def _bare(value: Any) -> Any:
    """Without what Consul computes inside an entry."""
    if isinstance(value, Mapping):
        return {name: _bare(inner) for name, inner in value.items() if name != "Precedence"}
    return [_bare(inner) for inner in value] if isinstance(value, list) else value
