"""What Compose makes of the files, as far as the agent needs it: no environment and no secret. Kept between runs as a cache."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gitops_agent.secret import fingerprint

_ENDS = frozenset({"", "no", "on-failure"})


@dataclass(frozen=True)
class Service:
    """`files` are paths below the project's directory that are mounted into it, `inline` keyed digests of configs and secrets
    without a file: Compose's hash covers neither. `volumes`: the engine's names of named volumes by where they are mounted,
    `volume_keys` what the files call them. `follows`: services it cannot outlive, because it shares their network or volumes,
    or says so."""

    hash: str
    image: str
    replicas: int
    may_end: bool
    """Exiting with 0 is no failure: nothing would start it again."""
    platform: str = ""
    files: tuple[str, ...] = ()
    inline: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    volume_keys: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """`networks` and `volumes`: keyed digests of their settings, by name."""

    services: Mapping[str, Service]
    networks: Mapping[str, str]
    volumes: Mapping[str, str]

    @classmethod
    def of(cls, config: Mapping[str, Any], hashes: Mapping[str, str], directory: Path, key: bytes) -> Facts:
        """From `config --format json` and `config --hash '*'`."""
        services = config.get("services") or {}
        return cls(
            {name: _service(name, found, hashes[name], config, directory, key) for name, found in services.items()},
            *(
                {name: _digest(found, key) for name, found in (config.get(section) or {}).items() if not found.get("external")}
                for section in ("networks", "volumes")
            ),
        )

    @property
    def used_networks(self) -> frozenset[str]:
        return frozenset(name for service in self.services.values() for name in service.networks)

    @property
    def used_volumes(self) -> frozenset[str]:
        return frozenset(name for service in self.services.values() for name in service.volume_keys)

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Facts:
        """Raises ValueError, KeyError or TypeError for anything else than what `dump` wrote."""
        data = json.loads(text)
        services = {name: _load(found) for name, found in data["services"].items()}
        return cls(services, data["networks"], data["volumes"])

    def is_as(self, other: Facts, service: str) -> bool:
        """Whether the service is the same in both, which the same Compose has made."""
        return service in other.services and self.services[service].hash == other.services[service].hash

    def followers(self, names: Sequence[str]) -> list[str]:
        """Services that have to be made anew with these."""
        found = list(names)
        for name in found:  # grows while it is walked
            found += [other for other, service in self.services.items() if name in service.follows and other not in found]
        return found[len(names) :]


def _load(found: Mapping[str, Any]) -> Service:
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    return Service(**fields)


def _service(name: str, found: Mapping[str, Any], digest: str, config: Mapping[str, Any], directory: Path, key: bytes) -> Service:
    deploy = found.get("deploy") or {}
    mounts = found.get("volumes") or ()
    names = {name: volume.get("name", name) for name, volume in (config.get("volumes") or {}).items()}
    restart = str(found.get("restart") or "").partition(":")[0]
    return Service(
        hash=digest,
        image=str(found.get("image") or f"{config.get('name', '')}-{name}"),
        replicas=int(deploy.get("replicas", found.get("scale", 1))),
        may_end=restart in _ENDS,
        platform=str(found.get("platform") or ""),
        files=tuple(sorted({path for source in _sources(found, config) if (path := _below(source, directory)) is not None})),
        inline=_inline(found, config, key),
        volumes={
            mount["target"]: names.get(mount["source"], mount["source"])
            for mount in mounts
            if mount["type"] == "volume" and mount.get("source")
        },
        volume_keys=tuple(sorted({mount["source"] for mount in mounts if mount["type"] == "volume" and mount.get("source")})),
        networks=tuple(sorted(found.get("networks") or ())),
        follows=tuple(sorted(_follows(found))),
    )


def _sources(found: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    yield from (mount["source"] for mount in found.get("volumes") or () if mount["type"] == "bind")
    for section in ("configs", "secrets"):
        for used in found.get(section) or ():
            source = (config.get(section) or {}).get(used["source"], {})
            if "file" in source:
                yield source["file"]


def _inline(found: Mapping[str, Any], config: Mapping[str, Any], key: bytes) -> Mapping[str, str]:
    digests = {}
    for section in ("configs", "secrets"):
        for used in found.get(section) or ():
            source = (config.get(section) or {}).get(used["source"], {})
            if "content" in source or "environment" in source:
                digests[f"{section}.{used['source']}"] = _digest(source, key)
    return digests


def _follows(found: Mapping[str, Any]) -> Iterator[str]:
    for kind in ("network_mode", "ipc", "pid"):
        mode, _, name = str(found.get(kind) or "").partition(":")
        if mode == "service":
            yield name
    for source in found.get("volumes_from") or ():
        if not source.startswith("container:"):
            yield source.partition(":")[0]
    yield from (name for name, how in (found.get("depends_on") or {}).items() if how.get("restart"))


def _below(path: str, directory: Path) -> str | None:
    inner = Path(path)
    return str(inner.relative_to(directory)) if inner.is_relative_to(directory) else None


def _digest(value: Any, key: bytes) -> str:
    return fingerprint(json.dumps(value, sort_keys=True), key)
