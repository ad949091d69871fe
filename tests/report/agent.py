"""The reporting half of an agent as a process, to be killed: `python -m tests.report.agent DIRECTORY GITEA COMMITS`.

Says of every commit what a run would say. After a start it says all of it again: what is known is no news.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gitops_agent.gitea import Gitea
from gitops_agent.journal import Journal
from gitops_agent.model import StatusState
from gitops_agent.report import GiteaStatuses, Outbox
from tests.journal.entries import finished, run
from tests.report.world import CONTEXT, ENVIRONMENT, QUICK, REPOSITORY, status


def main(directory: Path, gitea: str, commits: int) -> None:
    journal = Journal(directory / "journal.sqlite3")
    destination = GiteaStatuses(Gitea(gitea, REPOSITORY, directory / "token", timeout=5))
    outbox = Outbox(journal, {ENVIRONMENT: destination}, QUICK)
    outbox.start()
    for number in range(commits):
        if journal.last(status(number, StatusState.PENDING).sha, CONTEXT) is None:
            journal.record(run(number, ENVIRONMENT), [status(number, StatusState.PENDING)])
            outbox.ring()
        target = status(number, StatusState.SUCCESS, "1 updated", f"{CONTEXT}/nginx")
        journal.record(finished(number, ENVIRONMENT), [status(number, StatusState.SUCCESS, "applied"), target])
        outbox.ring()
    outbox.drain(60)
    outbox.close()
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
