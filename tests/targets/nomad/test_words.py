"""Placement failures in words, from what real Nomads put into FailedTGAllocs."""

from __future__ import annotations

from typing import Any

import pytest

from gitops_agent.targets.nomad.words import unplaced

_SOME = {"NodesEvaluated": 3, "NodesInPool": 3, "NodesAvailable": {"dc1": 3}}


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ({**_SOME, "ConstraintFiltered": {"missing drivers": 2, "${attr.arch} = arm64": 1}}, "2 without missing drivers, 1"),
        ({**_SOME, "DimensionExhausted": {"memory": 3}}, "of 3 nodes 3 too short of memory"),
        ({**_SOME, "ClassFiltered": {"small": 1}}, "of 3 nodes 1 of class small excluded"),
        ({**_SOME, "QuotaExhausted": ["cpu: 5 > 4"]}, "quota reached: cpu: 5 > 4"),
        (_SOME, "of 3 nodes none fits"),
        ({"NodesInPool": 0}, "no node is ready in its node pool and datacenters"),
        ({"NodesInPool": 1, "NodesAvailable": {"dc1": 0}}, "no node is ready in its node pool and datacenters"),
    ],
)
def test_why_a_group_finds_no_place(metric: dict[str, Any], words: str) -> None:
    said = unplaced({"web": metric})
    assert said.startswith("group web cannot be placed: ")
    assert words in said


def test_each_group_is_told() -> None:
    assert unplaced({"a": _SOME, "b": _SOME}).count("cannot be placed") == 2
    assert unplaced(None) == ""
