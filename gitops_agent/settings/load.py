"""Reads agent.toml; a mistake in it names file, line and key, and the nearest valid name."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gitops_agent import targets
from gitops_agent.errors import ConfigError
from gitops_agent.settings.locate import Key, line_of
from gitops_agent.settings.models import AgentSettings, EnvironmentSettings
from gitops_agent.target import TargetSettings

_ENVIRONMENT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_Model = TypeVar("_Model", bound=BaseModel)


def load(path: Path) -> AgentSettings:
    """Raises ConfigError. Relative paths in the file are relative to where the agent runs, as everywhere."""
    try:
        text = path.read_text()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    return read(text, path)


def read(text: str, path: Path, wanted: Callable[[str], bool] = lambda _folder: True) -> AgentSettings:
    """The same of a text; `path` is what mistakes name. Only targets whose folders are `wanted` are there, and their kinds are
    imported. Raises ConfigError."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from None
    return _Reader(path, text, wanted).agent(document)


class _Reader:
    def __init__(self, path: Path, text: str, wanted: Callable[[str], bool]) -> None:
        self._path = path
        self._text = text
        self._wanted = wanted

    def agent(self, document: dict[str, Any]) -> AgentSettings:
        environments = document.pop("environments", {})
        if not isinstance(environments, dict):
            raise self._error(("environments",), "must be tables: [environments.NAME]")
        read = {name: self._environment(name, table) for name, table in environments.items()}
        return self._validate(AgentSettings, {**document, "environments": read}, ())

    def _environment(self, name: str, table: Any) -> EnvironmentSettings:
        at: Key = ("environments", name)
        if not _ENVIRONMENT.fullmatch(name):
            raise self._error(at, "an environment's name is lower-case letters, digits and hyphens")
        if not isinstance(table, dict):
            raise self._error(at, "must be a table: [environments.NAME]")
        listed = table.get("targets", [])
        if not isinstance(listed, list) or not all(isinstance(target, dict) for target in listed):
            raise self._error((*at, "targets"), "must be tables: [[environments.NAME.targets]]")
        read = [
            self._target((*at, "targets", index), target)
            for index, target in enumerate(listed)
            if self._wanted(str(target.get("folder") or target.get("name")))
        ]
        for index, target in enumerate(read):
            if target.name in [other.name for other in read[:index]]:
                raise self._error((*at, "targets", index, "name"), f"{target.name!r} is used twice")
        return self._validate(EnvironmentSettings, {**table, "targets": tuple(read)}, at)

    def _target(self, at: Key, table: dict[str, Any]) -> TargetSettings:
        kind = table.get("kind")
        if not isinstance(kind, str) or kind not in targets.kinds():
            raise self._error((*at, "kind"), f"{kind!r} is no kind{_nearest(str(kind), targets.kinds())}")
        settings = self._validate(targets.load(kind).Settings, table, at)
        return settings if settings.folder else settings.model_copy(update={"folder": settings.name})

    def _validate(self, model: type[_Model], table: dict[str, Any], at: Key) -> _Model:
        try:
            return model.model_validate(table)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = (*at, *first["loc"])
            if first["type"] == "extra_forbidden":
                fields = _fields_at(model, first["loc"][:-1])
                raise self._error(key, f"is not a setting{_nearest(str(key[-1]), fields)}") from None
            message = "is required" if first["type"] == "missing" else first["msg"].removeprefix("Value error, ").lower()
            raise self._error(key, message) from None

    def _error(self, key: Key, message: str) -> ConfigError:
        name = ".".join(str(part) for part in key if not isinstance(part, int))
        return ConfigError(f"{self._path}:{line_of(self._text, key)}: {name}: {message}")


def _fields_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    for part in loc:
        field = model.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            return []
        model = field.annotation
    return list(model.model_fields)


def _nearest(name: str, valid: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, valid, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(valid)}" if valid else ""
