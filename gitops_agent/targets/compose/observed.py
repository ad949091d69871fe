"""What there is, held against what shall be: one pure function over what the engine, the record and Compose said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitops_agent.container.members import Member
from gitops_agent.model import Resource, State, Value
from gitops_agent.targets.compose.behaviour import Behaviour
from gitops_agent.targets.compose.declared import definition
from gitops_agent.targets.compose.facts import Facts, Service
from gitops_agent.targets.compose.record import Loaded, Record

CONFIG, FILES, STATE, CUT = "config", "files", "state", "apply"
ASPECTS = (CONFIG, FILES, STATE, CUT)
"""What an observed service has in its spec beside its definition, where it is not as declared."""


@dataclass(frozen=True)
class Look:
    """One look at a project. `published` are keyed digests of the files as they lie there, `wanted` as they shall be."""

    directory: Path
    facts: Facts
    record: Record
    members: Sequence[Member]
    networks: Mapping[str, str]
    volumes: Mapping[str, str]
    wanted: Mapping[str, str]
    published: Mapping[str, str]
    before: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    """Definitions of services in the files as they lie there."""
    same: frozenset[str] = frozenset()
    """Services whose containers carry another hash only because another Compose made them (failure mode 25)."""
    unlike: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By service that another Compose made before it was ours: fields in which its containers differ."""

    def of(self, service: str) -> list[Member]:
        return [member for member in self.members if member.service == service]

    def reads(self, service: str, files: Mapping[str, str]) -> Mapping[str, str]:
        """Those of `files` that are mounted into the service, and its inline texts, with their digests."""
        known = self.facts.services[service]
        mounted = {
            path: digest
            for path, digest in files.items()
            if any(source in (path, ".") or path.startswith(f"{source}/") for source in known.files)
        }
        return {**mounted, **known.inline}

    def changed_files(self, service: str, behaviour: Behaviour) -> list[str]:
        """Files it has not read as they shall be."""
        now, then = self.reads(service, self.wanted), self._has_read(service)
        paths = [*now, *(path for path in then if path not in now)]
        return sorted(path for path in paths if now.get(path) != then.get(path) and not behaviour.ignores(path))

    def _has_read(self, service: str) -> Mapping[str, str]:
        """As noted; of a service that was adopted, or made by an apply that failed later: what lies there."""
        loaded = self.record.services.get(service)
        if loaded is None:
            return self.reads(service, self.published)
        if loaded.replaced is not None and not {member.id for member in self.of(service)} & {*loaded.replaced}:
            inline = self.facts.services[service].inline
            return {path: digest for path, digest in self.reads(service, self.published).items() if path not in inline}
        return loaded.files


def made_by_another_tool(look: Look, tool: str) -> list[str]:
    """Services that nobody has touched since another Compose made them: their hashes say nothing."""
    return [
        name
        for name, loaded in look.record.services.items()
        if loaded.tool != tool
        and loaded.replaced is None
        and name in look.facts.services
        and {member.config_hash for member in look.of(name)} == {loaded.hash}
        and loaded.hash != look.facts.services[name].hash
    ]


def made_before(look: Look, version: str) -> list[str]:
    """Services that nobody has recorded yet, and that another Compose than this one has made: the same goes for their hashes."""
    return [
        name
        for name, service in look.facts.services.items()
        if name not in look.record.services
        and (members := look.of(name))
        and all(member.config_hash != service.hash and member.tool != version for member in members)
    ]


def observe(look: Look, desired: State) -> Iterator[Resource]:
    """Services, networks and volumes. Volumes that are not declared are not told: they are nobody's to prune."""
    for name in dict.fromkeys([*look.facts.services, *(member.service for member in look.members)]):
        members = look.of(name)
        if members:
            yield _service(look, name, members, desired.get(f"service:{name}"))
    facts = look.facts
    for kind, there, digests, recorded, used in (
        ("network", look.networks, facts.networks, look.record.networks, facts.used_networks),
        ("volume", look.volumes, facts.volumes, look.record.volumes, facts.used_volumes),
    ):
        # Compose makes nothing that no service uses.
        yield from (found for found in desired if (name := found.name.removeprefix(f"{kind}:")) != found.name and name not in used)
        for name in there:
            wanted = desired.get(f"{kind}:{name}")
            if wanted is not None and name in used:
                same = recorded.get(name, digests.get(name)) == digests.get(name)
                spec = wanted.spec if same else {**wanted.spec, "definition": {"settings": "as they were when it was made"}}
                yield Resource(wanted.name, spec, owned=name in recorded)
            elif wanted is None and name in recorded and name not in digests:  # `default` is there without being declared
                yield Resource(f"{kind}:{name}", {})


def _service(look: Look, name: str, members: Sequence[Member], wanted: Resource | None) -> Resource:
    loaded = look.record.services.get(name)
    owned = loaded is not None
    if wanted is None or name not in look.facts.services:
        return Resource(f"service:{name}", {}, owned=owned)
    differences = dict(_differences(look, name, members, loaded, Behaviour.of(definition(wanted))))
    spec = dict(wanted.spec)
    if CONFIG in differences and (before := look.before.get(name)) is not None:
        spec["definition"] = before
    return Resource(wanted.name, {**spec, **differences}, owned=owned)


def _differences(
    look: Look, name: str, members: Sequence[Member], loaded: Loaded | None, behaviour: Behaviour
) -> Iterator[tuple[str, Value]]:
    service = look.facts.services[name]
    if name not in look.same and any(member.config_hash != service.hash for member in members):
        yield CONFIG, f"differs in {', '.join(look.unlike[name])}" if name in look.unlike else "of another revision"
    if files := look.changed_files(name, behaviour):
        yield FILES, files
    if loaded is not None and loaded.replaced is not None and {member.id for member in members} & {*loaded.replaced}:
        yield CUT, "was cut short"
    if state := _state(service, members):
        yield STATE, state


def _state(service: Service, members: Sequence[Member]) -> str:
    for member in members:
        if member.state == "running" or (service.may_end and member.state == "exited" and member.code == 0):
            continue
        if member.state == "restarting":
            continue  # a crash loop is not mended by starting it once more; health tells it
        return f"{member.state} ({member.code})" if member.state == "exited" else member.state
    if len(members) != service.replicas:
        return f"{len(members)} of {service.replicas} containers"
    return ""
