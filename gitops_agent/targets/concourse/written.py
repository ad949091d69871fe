"""A pipeline as Concourse writes it down: it reads YAML into its structures and gives those back, without whatever is empty.

Doing the same to what is declared makes the two comparable, so that nothing is written where nothing differs. From `atc/config.go`,
`steps.go` and `task.go` of 8.2.5. What a newer Concourse knows besides is left as it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

Config = Mapping[str, Any]

TOP = ("groups", "var_sources", "resources", "resource_types", "prototypes", "jobs", "display", "user_data")
"""All other names at the top are for YAML anchors: Concourse drops them."""
NAMED = ("resources", "resource_types", "prototypes", "jobs")
"""Lists whose order Concourse does not keep: mappings here, by name."""

_OF_STEPS = {
    *("file", "format", "get_params", "hermetic", "image", "input_mapping", "instance_vars", "no_get", "output_mapping", "params"),
    *("passed", "privileged", "resource", "reveal", "tags", "team", "timeout", "trigger", "var_files", "vars", "version"),
    *("fail_fast", "limit", "steps"),
}
_OF_TASKS = {"args", "caches", "dir", "optional", "outputs", "platform", "rootfs_uri", "ttl", "user"}
_OF_JOBS = {
    *("build_logs_to_retain", "builds", "days", "disable_manual_trigger", "disable_reruns", "interruptible", "max_in_flight"),
    *("minimum_succeeded_builds", "old_name", "plan", "public", "serial", "serial_groups"),
}
_OF_RESOURCES = {"check_timeout", "defaults", "expose_build_created_by", "icon", "source", "webhook_token"}
_LEFT_OUT = _OF_STEPS | _OF_TASKS | _OF_JOBS | _OF_RESOURCES | {"background_filter", "background_image", "jobs", "resources"}
"""Empty, these are as good as absent."""
_STEPS = frozenset(("on_success", "on_failure", "on_abort", "on_error", "ensure", "try"))
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
_MEMORY = re.compile(r"([0-9]+)(?:([KMG])I?B?)?", re.IGNORECASE)
_PREFIXES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def written(config: Config) -> dict[str, Any]:
    """`config` (lists of named things as lists, or already by name) as Concourse would give it back, those lists by name."""
    done: dict[str, Any] = {}
    for key in TOP:
        value = config.get(key)
        if key in NAMED and isinstance(value, list | Mapping):
            things = value.values() if isinstance(value, Mapping) else value
            make = _job if key == "jobs" else _resource
            value = {str(thing["name"]): make(thing) for thing in things}
        elif key == "groups" and isinstance(value, list):
            value = [_struct(group) for group in value]
        elif key == "display" and isinstance(value, Mapping):
            value = _struct(value)
        if value is not None and (value or key == "display"):
            done[key] = value
    return done


def sent(config: Config) -> dict[str, Any]:
    """The other way: what Concourse reads."""
    return {key: [*value.values()] if key in NAMED else value for key, value in config.items()}


def _resource(thing: Config) -> Any:
    return _struct(thing, check_every=_duration)


def _job(job: Config) -> Any:
    hooks: dict[str, Callable[[Any], Any]] = dict.fromkeys(_STEPS, _step)
    return _struct(job, plan=_each(_step), build_log_retention=_struct, **hooks)


def _step(step: Any) -> Any:
    of_task: dict[str, Callable[[Any], Any]] = {}
    if isinstance(step, Mapping) and "task" in step:
        of_task = {"params": _environment, "config": _task}
    hooks: dict[str, Callable[[Any], Any]] = dict.fromkeys(_STEPS, _step)
    inner = {"do": _each(_step), "in_parallel": _parallel, "across": _each(_struct), "container_limits": _limits}
    return _struct(step, **inner, **hooks, **of_task)


def _parallel(value: Any) -> Any:
    return _struct({"steps": value} if isinstance(value, list) else value, steps=_each(_step))


def _task(config: Any) -> Any:
    if isinstance(config, Mapping) and config.get("inputs") == []:  # of a `put` step that is not the same as none
        config = {key: value for key, value in config.items() if key != "inputs"}
    paths = dict.fromkeys(("inputs", "outputs", "caches"), _each(_with_path))
    return _struct(config, params=_environment, image_resource=_image, container_limits=_limits, run=_struct, **paths)


def _with_path(thing: Any) -> Any:
    if isinstance(thing, Mapping) and not thing.get("path"):
        thing = {key: value for key, value in thing.items() if key != "path"}
    return _struct(thing)


def _image(image: Any) -> Any:
    if isinstance(image, Mapping) and not image.get("name"):
        image = {key: value for key, value in image.items() if key != "name"}
    return _struct(image)


def _struct(value: Any, **fields: Callable[[Any], Any]) -> Any:
    """What is no structure is for Concourse to complain about."""
    if not isinstance(value, Mapping):
        return value
    done = {key: fields[key](inner) if key in fields and inner is not None else inner for key, inner in value.items()}
    return {key: inner for key, inner in done.items() if inner is not None and (inner or key not in _LEFT_OUT)}


def _each(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: [make(item) for item in value] if isinstance(value, list) else value


def _environment(value: Any) -> Any:
    """A task's parameters become texts."""
    if not isinstance(value, Mapping):
        return value
    return {key: item if isinstance(item, str) else "" if item is None else _json(item) for key, item in value.items()}


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False, default=str)


def _limits(value: Any) -> Any:
    return _struct(value, memory=_memory)


def _memory(value: Any) -> Any:
    match = _MEMORY.fullmatch(value) if isinstance(value, str) else None
    return int(match[1]) * _PREFIXES[(match[2] or "").upper()] if match else value


def _duration(value: Any) -> Any:
    """`90m` is `1h30m0s`, as Go writes it; parts of a second are left as they were declared."""
    if not isinstance(value, str) or not re.fullmatch(rf"(?:{_DURATION.pattern})+", value):
        return value
    seconds, rest = divmod(sum(Fraction(number) * _UNITS[unit] for number, unit in _DURATION.findall(value)), 10**9)
    if rest or not seconds:
        return value
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{seconds}s" if hours else f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
