"""Whether a container is what a service says, field by field: for one that another Compose has made, whose hash says nothing.

Only what is looked at here may be in either: a field that nobody compares counts as different, and the service as another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Object = Mapping[str, Any]

_UNIMPORTANT = frozenset(
    {"build", "container_name", "depends_on", "expose", "hostname", "labels", "profiles", "pull_policy", "scale"}
)
"""Said by names, or compared apart, or nothing that a container has."""
_COMPARED = frozenset({"image", "command", "entrypoint", "environment", "volumes", "ports", "networks", "network_mode", "restart"})
_LABEL = "com.docker.compose."
_UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_SHM = 64 << 20


def differences(service: Object, config: Object, found: Object, image: Object) -> list[str]:
    """Names of fields. `service` is of `config --format json` (`config`, whole), `found` and `image` what the engine says of the
    container and of the image it runs."""
    return sorted({*_unknown(service), *_differences(service, config, found, image)})


def _unknown(service: Object) -> Iterator[str]:
    known = {*_UNIMPORTANT, *_COMPARED, *_PLAIN, "healthcheck"}
    for name, value in service.items():
        if name not in known and not name.startswith("x-") and value not in (None, [], {}, False):
            if name == "deploy" and not {*value} - {"replicas", "placement"} and not value.get("placement"):
                continue
            yield name


def _differences(service: Object, config: Object, found: Object, image: Object) -> Iterator[str]:
    said = _unescaped(service)
    own, host, base = found["Config"], found["HostConfig"], image.get("Config") or {}
    checks: Mapping[str, bool] = {
        "image": _runs(str(said.get("image") or own["Image"]), own["Image"], image),
        "command": _list(own.get("Cmd")) == _list(_or(said.get("command"), None if said.get("entrypoint") else base.get("Cmd"))),
        "entrypoint": _list(own.get("Entrypoint")) == _list(_or(said.get("entrypoint"), base.get("Entrypoint"))),
        "environment": _environment(own.get("Env"), {}) == _environment(base.get("Env"), said.get("environment") or {}),
        "volumes": _mounts(found) == _volumes(said, config),
        "ports": _bound(host) == _published(said),
        "networks": _attached(found) == _networks(said, config),
        "restart": _restart(host) == str(said.get("restart") or "no"),
        "labels": _labels(own.get("Labels"), base.get("Labels")) == (said.get("labels") or {}),
        "healthcheck": _health(own.get("Healthcheck"), base) == _wished(said.get("healthcheck"), base),
    }
    yield from (name for name, same in checks.items() if not same)
    for name, (there, wished) in _PLAIN.items():
        if there(own, host, base) != wished(said.get(name), base):
            yield name


def _runs(wished: str, named: str, image: Object) -> bool:
    """The image may have been named by another name of the same."""
    return wished in (named, image.get("Id"), *(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ()))


def _unescaped(value: Any) -> Any:
    """Compose prints a `$` as two."""
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, Mapping):
        return {name: _unescaped(one) for name, one in value.items()}
    return [_unescaped(one) for one in value] if isinstance(value, list) else value


def _or(said: Any, otherwise: Any) -> Any:
    return otherwise if said is None else said


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _environment(base: list[str] | None, said: Object) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in base or ())
    merged = {name: value for name, _, value in pairs} | dict(said)
    return {name: str(value) for name, value in merged.items() if value is not None}


def _mounts(found: Object) -> set[tuple[str, str, str, bool]]:
    """Volumes without a name are the image's."""
    told = found.get("Mounts") or ()
    return {
        (one["Type"], one["Name"] if one["Type"] == "volume" else one.get("Source", ""), one["Destination"], bool(one["RW"]))
        for one in told
        if not (one["Type"] == "volume" and re.fullmatch(r"[0-9a-f]{64}", one["Name"]))
    }


def _volumes(said: Object, config: Object) -> set[tuple[str, str, str, bool]]:
    names = {name: one.get("name", name) for name, one in (config.get("volumes") or {}).items()}
    return {
        (
            one["type"],
            names.get(one.get("source"), one.get("source", "")) if one["type"] == "volume" else one.get("source", ""),
            one["target"].rstrip("/") or "/",
            not one.get("read_only"),
        )
        for one in said.get("volumes") or ()
        if one["type"] != "volume" or one.get("source")
    }


def _bound(host: Object) -> set[tuple[str, str, str]]:
    return {
        (port, place.get("HostIp") or "", place.get("HostPort") or "")
        for port, places in (host.get("PortBindings") or {}).items()
        for place in places or ()
    }


def _published(said: Object) -> set[tuple[str, str, str]]:
    return {
        (f"{one['target']}/{one.get('protocol') or 'tcp'}", one.get("host_ip") or "", str(one.get("published") or ""))
        for one in said.get("ports") or ()
    }


def _attached(found: Object) -> set[str]:
    mode = found["HostConfig"].get("NetworkMode") or ""
    if mode in ("host", "none") or mode.startswith("container:"):
        return {mode.partition(":")[0]}
    return {*((found.get("NetworkSettings") or {}).get("Networks") or {})}


def _networks(said: Object, config: Object) -> set[str]:
    if mode := str(said.get("network_mode") or ""):
        return {"container" if mode.startswith("service:") else mode.partition(":")[0]}
    names = {name: one.get("name", name) for name, one in (config.get("networks") or {}).items()}
    return {names.get(name, name) for name in said.get("networks") or {}}


def _restart(host: Object) -> str:
    policy = host.get("RestartPolicy") or {}
    name, most = policy.get("Name") or "no", policy.get("MaximumRetryCount") or 0
    return f"{name}:{most}" if most else name


def _labels(own: Object | None, base: Object | None) -> dict[str, str]:
    inherited = base or {}
    return {name: value for name, value in (own or {}).items() if not name.startswith(_LABEL) and inherited.get(name) != value}


def _health(own: Object | None, base: Object) -> dict[str, Any]:
    found = own or base.get("Healthcheck") or {}
    return {name: value for name, value in found.items() if value}


def _wished(said: Object | None, base: Object) -> dict[str, Any]:
    if not said:
        return _health(None, base)
    if said.get("disable"):
        return {"Test": ["NONE"]}
    names = {"interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod", "start_interval": "StartInterval"}
    test = said.get("test")
    wished = {
        "Test": ["CMD-SHELL", test] if isinstance(test, str) else test,
        "Retries": said.get("retries"),
        **{there: _nanoseconds(said.get(name)) for name, there in names.items()},
    }
    return {**_health(None, base), **{name: value for name, value in wished.items() if value}}


def _nanoseconds(text: Any) -> int:
    if not isinstance(text, str):
        return int(text or 0)
    return round(sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ns|us|ms|s|m|h)", text)))


def _number(value: Any) -> int:
    return int(float(value or 0))


_There = Callable[[Object, Object, Object], Any]
_Wished = Callable[[Any, Object], Any]


def _own(field: str) -> _There:
    return lambda own, _host, _base: own.get(field) or ""


def _flag(field: str, *, of_host: bool = True) -> tuple[_There, _Wished]:
    return (lambda own, host, _base: bool((host if of_host else own).get(field))), (lambda said, _base: bool(said))


def _some(field: str) -> tuple[_There, _Wished]:
    return (lambda _own, host, _base: sorted(host.get(field) or ())), (lambda said, _base: sorted(said or ()))


def _capabilities(field: str) -> tuple[_There, _Wished]:
    def plain(names: list[str] | None) -> set[str]:
        return {name.upper().removeprefix("CAP_") for name in names or ()}

    return (lambda _own, host, _base: plain(host.get(field))), (lambda said, _base: plain(said))


_PLAIN: Mapping[str, tuple[_There, _Wished]] = {
    "user": (_own("User"), lambda said, base: str(said or base.get("User") or "")),
    "working_dir": (_own("WorkingDir"), lambda said, base: said or base.get("WorkingDir") or ""),
    "stop_signal": (_own("StopSignal"), lambda said, base: said or base.get("StopSignal") or ""),
    "stop_grace_period": (
        lambda own, _host, _base: _number(own.get("StopTimeout")),
        lambda said, _base: _nanoseconds(said) // _UNITS["s"],
    ),
    "tty": _flag("Tty", of_host=False),
    "stdin_open": _flag("OpenStdin", of_host=False),
    "privileged": _flag("Privileged"),
    "read_only": _flag("ReadonlyRootfs"),
    "init": _flag("Init"),
    "cap_add": _capabilities("CapAdd"),
    "cap_drop": _capabilities("CapDrop"),
    "security_opt": _some("SecurityOpt"),
    "group_add": _some("GroupAdd"),
    "dns": _some("Dns"),
    "pid": (lambda _own, host, _base: host.get("PidMode") or "", lambda said, _base: said or ""),
    "mem_limit": (lambda _own, host, _base: _number(host.get("Memory")), lambda said, _base: _number(said)),
    "cpus": (lambda _own, host, _base: _number(host.get("NanoCpus")), lambda said, _base: _number(float(said or 0) * 10**9)),
    "shm_size": (lambda _own, host, _base: _number(host.get("ShmSize")) or _SHM, lambda said, _base: _number(said) or _SHM),
}
"""By field: what the container has, and what it should have."""
