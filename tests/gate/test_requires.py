"""Which statuses open the gate. How a run waits for them is in tests/worker/test_gate.py."""

from __future__ import annotations

import pytest

from gitops_agent.errors import GateClosed, Superseded
from gitops_agent.gate import Patience, Requires
from gitops_agent.model import Revision

COMMIT = Revision("main", "a" * 40)


class Commit:
    """Says each time what comes next; the last answer stays."""

    def __init__(self, *answers: dict[str, str]) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.said: list[str] = []

    def states(self, _sha: str) -> dict[str, str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def wait(self, *patterns: str, deadline: float = 60) -> None:
        patience = Patience(pause=lambda _seconds: None, say=self.said.append)
        Requires(patterns, self.states, deadline=deadline, poll=1).wait(COMMIT, patience)


@pytest.mark.parametrize(
    "states",
    [
        {"ci/lint": "success", "ci/test": "success"},
        {"ci/lint": "success", "ci/slow": "skipped"},
        {"ci/lint": "success", "deploy": "failure", "gitops/test": "pending"},
    ],
)
def test_green_lets_pass_at_once(states):
    commit = Commit(states)
    commit.wait("ci/*")
    assert (commit.asked, commit.said) == (1, [])


def test_it_waits_for_what_is_pending_and_for_what_nobody_has_said_yet():
    commit = Commit({}, {"ci/lint": "pending"}, {"ci/lint": "success"}, {"ci/lint": "success", "scan": "success"})
    commit.wait("ci/*", "scan")
    assert commit.said == ["waiting for ci/*, scan", "waiting for ci/lint, scan", "waiting for scan"]


@pytest.mark.parametrize("state", ["failure", "error", "warning", "bogus"])
def test_red_closes_it_at_once(state):
    with pytest.raises(GateClosed, match=f"ci/test is {state}"):
        Commit({"ci/lint": "pending", "ci/test": state}).wait("ci/*")


def test_after_the_deadline_it_is_closed_and_says_what_was_missing():
    with pytest.raises(GateClosed, match=r"not green within 0.01 s: ci/test"):
        Commit({"ci/test": "pending"}).wait("ci/*", deadline=0.01)


def test_the_agents_own_words_are_never_waited_for():
    """Or `requires = ["*"]` would wait for itself for ever (failure mode 41)."""
    Commit({"gitops/test": "pending", "ci/test": "success"}).wait("*")


def test_a_newer_commit_ends_the_wait():
    def stop() -> None:
        raise Superseded(None)

    with pytest.raises(Superseded):
        Requires(["ci/*"], lambda _sha: {}, deadline=60, poll=1).wait(COMMIT, Patience(stop=stop, pause=lambda _seconds: None))
