"""What the operator is told at start."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_agent.app.previewing import preview_destinations
from gitops_agent.errors import ConfigError
from gitops_agent.settings.load import read

_ONE = """
[environments.{name}]
source = "https://git.example.org/ops/config.git"
branch = "{branch}"
[environments.{name}.previews]
{more}
"""
_VALIDATED = """
[environments.{name}.validation]
address = "https://ci.example.org"
username = "agent"
password_file = "/run/secrets/concourse"
"""


def destinations(*environments: str) -> set[str]:
    return {*preview_destinations(read("".join(environments), Path("agent.toml")))}


def one(name: str, branch: str = "main", more: str = "") -> str:
    return _ONE.format(name=name, branch=branch, more=more)


def test_a_queue_of_its_own_for_each() -> None:
    assert destinations(one("a"), one("b", "other"), one("c", more='status = "gitops/plan-c"')) == {
        "a/previews",
        "b/previews",
        "c/previews",
    }


@pytest.mark.parametrize(
    ("environments", "said"),
    [
        ((one("a"), one("b")), "environments a and b both say gitops/plan"),
        ((one("plan"),), "gitops/plan is what runs of plan say"),
        ((one("a", more='status = "gitops/a/pages"'),), "is what runs of a say"),
        ((one("a", more='status = "ci/plan"'),), "previews.status"),
        ((one("a", more="memory = 1000"),), "previews.memory"),
        ((one("a", more='validation = { team = "proposals" }'),), "previews.validation needs"),
        ((one("a", more='validation = { team = "main" }') + _VALIDATED.format(name="a"),), "another team than that"),
        (
            (
                one("a", more='validation = { team = "p" }') + _VALIDATED.format(name="a"),
                one("b", more='status = "gitops/b"\nvalidation = { team = "p" }') + _VALIDATED.format(name="b"),
            ),
            "environments a and b both say concourse/validate: give one another previews.validation.status",
        ),
    ],
)
def test_what_cannot_be(environments: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        destinations(*environments)
