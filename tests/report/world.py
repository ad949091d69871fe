"""A journal, an outbox and a Gitea-shaped server, as they live together in the agent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from gitops_agent import metrics
from gitops_agent.gitea import Gitea
from gitops_agent.journal import Journal
from gitops_agent.model import CommitStatus, StatusState
from gitops_agent.report import GiteaStatuses, Outbox
from gitops_agent.report.courier import Pace
from tests.fakes.gitea import FakeGitea

REPOSITORY = "ops/config"
TOKEN = "a-token-of-the-bot"
ENVIRONMENT = "mini"
CONTEXT = f"gitops/{ENVIRONMENT}"
QUICK = Pace(first=0.02, longest=0.1)


def sha(number: int) -> str:
    return f"{number:040x}"


def status(number: int, state: StatusState, description: str = "", context: str = CONTEXT) -> CommitStatus:
    return CommitStatus(sha(number), context, state, description or str(state), f"http://agent.example/runs/{number}")


def serve(commits: int = 100) -> FakeGitea:
    server = FakeGitea()
    server.add_repository(REPOSITORY, commits=[sha(number) for number in range(commits)])
    server.add_token(TOKEN)
    return server.start()


@dataclass
class World:
    directory: Path
    server: FakeGitea
    journal: Journal
    outbox: Outbox
    environment: str = ENVIRONMENT

    @classmethod
    def begin(cls, directory: Path, server: FakeGitea, *, environment: str = ENVIRONMENT, pace: Pace = QUICK) -> World:
        """Everything but the server's state is new: as after a start of the agent. Nothing is sent before `outbox.start()`."""
        token = directory / "token"
        if not token.exists():
            token.write_text(TOKEN)
        journal = Journal(directory / "journal.sqlite3", patience=0.0)
        destination = GiteaStatuses(Gitea(server.url, REPOSITORY, token, timeout=2))
        return cls(directory, server, journal, Outbox(journal, {environment: destination}, pace), environment)

    def say(self, number: int, state: StatusState, description: str = "", context: str = CONTEXT) -> None:
        if self.journal.queue(self.environment, status(number, state, description, context)):
            self.outbox.ring()

    def said(self, number: int, context: str | None = CONTEXT) -> list[str]:
        """The states that the server has of a commit, oldest first."""
        return [state for state, _ in self.server.statuses(REPOSITORY, sha(number), context)]

    def results(self) -> Counter[str]:
        found = Counter[str]()
        for result in ("sent", "found", "dropped", "postponed"):
            labels = {"environment": self.environment, "result": result}
            found[result] = int(metrics.registry.get_sample_value("gitops_agent_statuses_total", labels) or 0)
        return +found

    def end(self) -> None:
        self.outbox.close(timeout=0.5)
        self.journal.close()
