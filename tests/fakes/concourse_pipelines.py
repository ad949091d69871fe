"""The pipelines of the fake Concourse: checked, written anew in Concourse's own way, compared with the version that was seen."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

Json = Any
_TOP = ("groups", "var_sources", "resources", "resource_types", "prototypes", "jobs", "display", "user_data")
_JOB = frozenset(
    [
        "name",
        "old_name",
        "public",
        "disable_manual_trigger",
        "disable_reruns",
        "serial",
        "interruptible",
        "serial_groups",
        "max_in_flight",
        "build_logs_to_retain",
        "build_log_retention",
        "on_success",
        "on_failure",
        "on_abort",
        "on_error",
        "ensure",
        "plan",
    ]
)
_VERBATIM = ("params", "get_params", "source", "user_data", "vars", "values", "version", "instance_vars", "defaults")
_REWRITTEN: dict[str, dict[Json, Json]] = {
    "check_every": {"90m": "1h30m0s", "1h": "1h0m0s", "24h": "24h0m0s"},
    "memory": {"1GB": 1 << 30, "10mb": 10 << 20},
}
"""Durations and sizes that the tests use."""
_KEPT_EMPTY = ("check_every", "display", "do", "source", "name", "plan")


@dataclass(frozen=True)
class Reply:
    status: int
    json: Json = None
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    stream: Any = None


@dataclass
class Pipeline:
    number: int
    team: str
    name: str
    config: Json = None
    version: int = 0
    paused: bool = True
    public: bool = False
    archived: bool = False
    place: int = 0
    parent_job: int = 0
    """Number of the job whose `set_pipeline` step has set it."""

    def row(self) -> Json:
        row = {"id": self.number, "name": self.name, "paused": self.paused, "public": self.public, "archived": self.archived}
        shown = {name: self.config[name] for name in ("groups", "display", "user_data") if name in self.config}
        row |= {"parent_job_id": self.parent_job} if self.parent_job else {}
        return {**row, "team_name": self.team, "last_updated": 1795477890, **shown}


class Pipelines:
    def __init__(self, teams: set[str]) -> None:
        self.teams = teams
        self.all: dict[tuple[str, str], Pipeline] = {}
        self.writes = 0
        self._numbers = itertools.count(1)
        self._versions = itertools.count(1)

    def rows(self) -> list[Json]:
        ordered = sorted(self.all.values(), key=lambda pipeline: (pipeline.team, pipeline.place))
        return [pipeline.row() for pipeline in ordered]

    def exists(self, team: str, name: str) -> bool:
        return (team, name) in self.all

    def number(self, team: str, name: str) -> int:
        return self.all[team, name].number

    def answer(self, method: str, team: str, rest: list[str], query: Json, headers: Json, body: bytes) -> Reply:
        """`rest` is what follows `/teams/T/pipelines/`."""
        match [method, *rest]:
            case ["PUT", "ordering"]:
                return self._order(team, json.loads(body))
            case ["PUT", name, "config"]:
                return self._save(team, name, query, headers, body)
        pipeline = self.all.get((team, rest[0])) if rest else None
        if pipeline is None:
            return Reply(404)
        match [method, *rest[1:]]:
            case ["GET"]:
                return Reply(200, pipeline.row())
            case ["GET", "config"] if not pipeline.archived:
                version = {"X-Concourse-Config-Version": str(pipeline.version)}
                return Reply(200, {"config": pipeline.config}, headers=version)
            case ["DELETE"]:
                self.writes += 1
                del self.all[team, pipeline.name]
                return Reply(204)
            case ["PUT", action]:
                return self._act(pipeline, action)
        return Reply(404)

    def _act(self, pipeline: Pipeline, action: str) -> Reply:
        if action not in ("pause", "unpause", "expose", "hide", "archive"):
            return Reply(404)
        self.writes += 1
        if action in ("pause", "unpause"):
            pipeline.paused = action == "pause"
        elif action in ("expose", "hide"):
            pipeline.public = action == "expose"
        else:
            pipeline.archived = pipeline.paused = True
            pipeline.version = 0
        return Reply(200)

    def _order(self, team: str, names: list[str]) -> Reply:
        for name in names:
            if (team, name) not in self.all:
                return Reply(400, text=f"pipeline '{name}' not found\n")
        self.writes += 1
        for place, name in enumerate(names):
            self.all[team, name].place = place
        return Reply(200)

    def _save(self, team: str, name: str, query: Json, headers: Json, body: bytes) -> Reply:
        if headers.get("Content-Type") not in ("application/json", "application/x-yaml"):
            return Reply(415)
        config = yaml.load(body, Loader=yaml.CSafeLoader) or {}
        config = {key: config[key] for key in _TOP if key in config}
        error = _error(config)
        if error:
            return Reply(400, {"errors": [error]})
        for value in query.get("vars", []):
            try:
                json.loads(value)
            except ValueError:
                message = f"invalid character '{value[0]}' looking for beginning of value"
                return Reply(400, {"errors": [f"instance vars are malformed: {message}"]})
        if team not in self.teams:
            return Reply(404)
        pipeline = self.all.get((team, name))
        if pipeline is not None and int(headers.get("X-Concourse-Config-Version", 0)) != pipeline.version:
            return Reply(500, text="failed to save config: comparison with existing config failed during save")
        created = pipeline is None
        if pipeline is None:
            pipeline = Pipeline(number := next(self._numbers), team, name, place=number)
        self.all[team, name] = pipeline
        pipeline.config, pipeline.version, pipeline.archived = _written(config), next(self._versions), False
        self.writes += 1
        return Reply(201 if created else 200, {})


def _error(config: Json) -> str:
    jobs = config.get("jobs") or []
    if not jobs:
        return "invalid jobs:\n\tjobs: pipeline must contain at least one job\n"
    resources = {resource["name"] for resource in config.get("resources") or []}
    for name in sorted(resources - {*_used(jobs)}):
        return f"invalid resources:\n\tresource '{name}' is not used\n"
    for job in jobs:
        for key in job.keys() - _JOB:
            return f'malformed config: error unmarshaling JSON: while decoding JSON: json: unknown field "{key}"'
        for index, step in enumerate(job.get("plan", [])):
            got = step.get("resource", step.get("get"))
            if got is not None and got not in resources:
                return f"invalid jobs:\n\tjobs.{job['name']}.plan.do[{index}].get({step['get']}): unknown resource '{got}'\n"
    return ""


def _used(value: Json) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _used(item)
    elif isinstance(value, dict):
        named = value.get("resource", value.get("get", value.get("put")))
        yield from [named] if isinstance(named, str) else []
        yield from _used([*value.values()])


def _written(config: Json) -> Json:
    """Decoded into Concourse's structures and encoded again."""
    added = {"resources": {"source": None}, "jobs": {"plan": None}}
    lists = {key: [{**fields, **item} for item in config[key]] for key, fields in added.items() if config.get(key)}
    return _struct({**config, **lists})


def _struct(value: Json, of: str = "") -> Json:
    if isinstance(value, list):
        return [_struct(item, of) for item in value]
    if not isinstance(value, dict):
        return value
    done = {key: _field(key, inner, value, of) for key, inner in value.items()}
    named = of == "image_resource"
    return {
        key: inner
        for key, inner in done.items()
        if inner not in (None, "", 0, False, [], {}) or key in _KEPT_EMPTY or (key == "name" and named)
    }


def _field(key: str, value: Json, inside: Json, of: str) -> Json:
    if key == "params" and ("task" in inside or of == "config"):
        return {name: _env(setting) for name, setting in value.items()}
    if key in _VERBATIM or (key == "config" and "type" in inside):
        return json.loads(json.dumps(value, default=str))
    if key == "in_parallel" and isinstance(value, list):
        return {"steps": _struct(value)}
    if key in _REWRITTEN:
        return _REWRITTEN[key].get(value, value)
    return _struct({"name": "", **value} if key == "image_resource" else value, key)


def _env(value: Json) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
