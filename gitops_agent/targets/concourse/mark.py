"""Whose a pipeline is: its `user_data`, which Concourse keeps, shows in its list of pipelines, and does nothing with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MARK = "gitops-agent"


def marked(config: Mapping[str, Any], environment: str) -> dict[str, Any]:
    return {**config, "user_data": {**(config.get("user_data") or {}), MARK: {"environment": environment}}}


def unmarked(config: Mapping[str, Any]) -> dict[str, Any]:
    data = config.get("user_data")
    if not isinstance(data, Mapping) or MARK not in data:
        return dict(config)
    rest = {key: value for key, value in data.items() if key != MARK}
    others = {key: value for key, value in config.items() if key != "user_data"}
    return {**others, "user_data": rest} if rest else others


def owner(row: Mapping[str, Any]) -> str:
    """The environment whose mark a pipeline carries; empty where it has none."""
    data = row.get("user_data")
    mark = data.get(MARK) if isinstance(data, Mapping) else None
    return str(mark.get("environment", "")) if isinstance(mark, Mapping) else ""
