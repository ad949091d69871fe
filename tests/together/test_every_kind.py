"""One repository that uses every kind at once, reconciled by the agent as a process: what the suite asks of each, asked of all.

Its folders and its systems are those of the conformance suite; what is shown here is that they go together.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from gitops_agent.model import Files
from tests.conformance.holding import assert_holds, others
from tests.conformance.subject import AdoptableSubject, Seen, Subject
from tests.fakes.gitea import FakeGitea
from tests.gitserver import GitServer, git
from tests.together.systems import ENVIRONMENT, every_system
from tests.worker.running import TOKEN, Running, eventually
from tests.worker.test_agent import assert_every_report_is_final_and_none_came_twice

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(600)]


class Everything:
    """The agent, and a subject of every kind it reconciles."""

    def __init__(self, agent: Running, subjects: Mapping[str, Subject]) -> None:
        self.agent = agent
        self.subjects = subjects
        self.bystanders = {kind: others(subject) for kind, subject in subjects.items()}
        targets = [agent.target(kind, kind, **subject.settings()) for kind, subject in subjects.items()]
        agent.configure(targets="".join(targets), poll=1)

    def push(self, version: Callable[[Subject], Files]) -> str:
        """Makes the repository what `version` says of every kind, and waits for nothing."""
        wanted: dict[str, bytes] = {}
        for kind, subject in self.subjects.items():
            wanted |= {f"{kind}/{path}": content for path, content in version(subject).items()}
        tracked = git("ls-files", at=self.agent.author.clone).split()
        return self.agent.author.push({**dict.fromkeys(tracked), **wanted})

    def revert(self) -> str:
        clone = self.agent.author.clone
        git("revert", "--no-edit", "HEAD", at=clone)
        git("push", "--quiet", "origin", "HEAD:refs/heads/main", at=clone)
        return git("rev-parse", "HEAD", at=clone)

    def settled(self, sha: str) -> None:
        self.agent.settled(sha, timeout=120)

    def look(self) -> dict[str, Mapping[str, Seen]]:
        return {kind: subject.look() for kind, subject in self.subjects.items()}

    def writes(self) -> dict[str, int]:
        return {kind: subject.writes() for kind, subject in self.subjects.items()}

    def assert_holds(self, version: Callable[[Subject], Files]) -> None:
        for kind, subject in self.subjects.items():
            assert_holds(subject, version(subject))
            assert others(subject) == self.bystanders[kind]


def first(subject: Subject) -> Files:
    return subject.first


def second(subject: Subject) -> Files:
    return subject.second


@pytest.fixture
def everything(public_path: Path, binary: Callable[[str], str], free_port: Callable[[], int]) -> Iterator[Everything]:
    git_server = GitServer(public_path / "git", TOKEN)
    with FakeGitea() as gitea, every_system(public_path, binary, free_port) as subjects:
        agent = Running(public_path, git_server, gitea, free_port(), ENVIRONMENT)
        yield Everything(agent, subjects)
        agent.stop()
    git_server.stop()


def test_created_then_left_alone_then_taken_back(everything: Everything) -> None:
    """The second run writes nothing; a revert takes back exactly what its commit brought."""
    agent = everything.agent
    agent.start()
    everything.settled(everything.push(first))
    everything.assert_holds(first)
    seen, writes = everything.look(), everything.writes()
    runs = len(agent.api("/runs")["runs"])
    agent.api(f"/environments/{ENVIRONMENT}/sync", {})
    eventually(lambda: finished(agent) > runs, timeout=60, what="a whole run more")
    assert agent.api("/runs")["runs"][0]["message"] == "no changes"
    assert (everything.look(), everything.writes()) == (seen, writes)
    everything.settled(everything.push(second))
    everything.assert_holds(second)
    everything.settled(everything.revert())
    everything.assert_holds(first)
    assert_every_report_is_final_and_none_came_twice(agent)


def finished(agent: Running) -> int:
    return len([run for run in agent.api("/runs")["runs"] if run["ended"]])


def test_killed_ten_times_it_ends_where_it_should(everything: Everything) -> None:
    """Failure mode 64, with every system there is: SIGKILL at ten random moments while it goes back and forth."""
    dice = random.Random(64)
    for number in range(10):
        sha = everything.push(second if number % 2 else first)
        everything.agent.start(ready=False)
        time.sleep(dice.uniform(1, 4))
        everything.agent.kill()
    everything.agent.start()
    everything.settled(sha)
    everything.assert_holds(second)
    assert_every_report_is_final_and_none_came_twice(everything.agent)


def test_an_agent_that_lost_its_own_state_writes_nothing(everything: Everything) -> None:
    """The marks are in the systems, so that nothing of the agent's own has to be kept."""
    everything.agent.start()
    everything.settled(everything.push(first))
    seen, writes = everything.look(), everything.writes()
    everything.agent.stop()
    kept = (everything.agent.path / "state/key").read_bytes()  # what secrets are compared with: docs/operations.md says to keep it
    shutil.rmtree(everything.agent.path / "state")
    (everything.agent.path / "state").mkdir(mode=0o700)
    (everything.agent.path / "state/key").write_bytes(kept)
    (everything.agent.path / "state/key").chmod(0o600)
    everything.agent.start()
    everything.settled(everything.push(first))
    assert (everything.look(), everything.writes()) == (seen, writes)


def test_systems_that_hold_it_all_are_taken_over_untouched(everything: Everything) -> None:
    """Nothing is written or restarted where everything is there already, made by hand."""
    by_hand = {kind: subject for kind, subject in everything.subjects.items() if isinstance(subject, AdoptableSubject)}
    adopting = Everything(everything.agent, by_hand)
    for subject in by_hand.values():
        subject.plant(subject.first)
    seen, writes = adopting.look(), adopting.writes()
    adopting.agent.start()
    adopting.settled(adopting.push(first))
    assert (adopting.look(), adopting.writes()) == (seen, writes)
