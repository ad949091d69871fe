"""When two ways to write a thing mean the same."""

from __future__ import annotations

from typing import Any

import pytest

from gitops_agent.targets.consul.likeness import durations, echo, go_duration, nanoseconds

_DEFAULTS = {"Type": "consul"}


@pytest.mark.parametrize(
    ("text", "go"),
    [
        ("90s", "1m30s"),
        ("1h", "1h0m0s"),
        ("1h30m", "1h30m0s"),
        ("24h", "24h0m0s"),
        ("1.5s", "1.5s"),
        ("500ms", "500ms"),
        ("1500ms", "1.5s"),
        ("250us", "250µs"),
        ("7ns", "7ns"),
        ("0s", "0s"),
    ],
)
def test_durations_as_go_writes_them(text: str, go: str) -> None:
    found = nanoseconds(text)
    assert found is not None
    assert go_duration(found) == go
    assert nanoseconds(go) == found


@pytest.mark.parametrize("text", ["", "90", "s", "1 h", "1d", "h1", "90seconds", 90, None])
def test_what_is_no_duration(text: object) -> None:
    assert nanoseconds(text) is None


def test_durations_are_looked_for_where_they_can_be() -> None:
    entry = {
        "ConnectTimeout": "90s",
        "Meta": {"TTL": "90s"},
        "Checks": [{"Interval": 30_000_000_000}],
        "Description": "90s",
        "TTL": True,
    }
    assert durations(entry) == {**entry, "ConnectTimeout": "1m30s", "Checks": [{"Interval": "30s"}]}


@pytest.mark.parametrize(
    ("desired", "live"),
    [
        ({"a": 1}, {"a": 1, "b": "", "c": None, "d": {}, "e": {"f": {"g": []}}, "h": 0, "i": False}),
        ({"a": "", "b": None, "c": False, "d": {}}, {}),
        ({"timeout": "90s"}, {"timeout": "1m30s"}),
        ({"timeout": "30s"}, {"timeout": 30_000_000_000}),
        ({"timeout": "0s"}, {}),
        ({}, {"Type": "consul"}),
        ({"Type": "consul"}, {}),
        ({"list": [{"Name": "a"}, {"Name": "b", "x": 1}]}, {"list": [{"Name": "b", "x": 1}, {"Name": "a", "y": 0}]}),
        ({"list": None}, {"list": []}),
    ],
)
def test_the_same(desired: dict[str, Any], live: dict[str, Any]) -> None:
    assert echo(desired, live, _DEFAULTS) == desired


@pytest.mark.parametrize(
    ("desired", "live"),
    [
        ({}, {"a": 1}),
        ({"a": 1}, {}),
        ({"a": "1"}, {"a": 1}),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}),
        ({"timeout": "90s"}, {"timeout": "91s"}),
        ({}, {"Type": "other"}),
        ({"Type": "other"}, {}),
        ({"list": [1, 2]}, {"list": [2, 1]}),
        ({"list": [1]}, {"list": [1, 2]}),
        ({"list": [1, 2]}, {"list": [1]}),
        ({"list": [{"Name": "a"}, {"Name": "a"}]}, {"list": [{"Name": "a"}, {"Name": "b"}]}),
        ({}, {"MaxConnections": 0}),
        ({"MaxConnections": 0}, {}),
    ],
)
def test_not_the_same(desired: dict[str, Any], live: dict[str, Any]) -> None:
    assert echo(desired, live, _DEFAULTS) != desired
