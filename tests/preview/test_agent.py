"""Pull requests and a whole agent: previewed, kept up to date, concluded; one comment each."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid

import pytest
import requests

from tests.gitserver import Author, git
from tests.preview.proposing import ANN, MARKER, Proposals
from tests.worker.running import REPOSITORY, Running, eventually


def test_what_merging_would_change_is_said_on_the_pull_request(agent: Running, proposals: Proposals) -> None:
    proposals.start()
    number, head = proposals.open({"pages/index.html": "two\n", "pages/new.html": "new\n"})
    assert proposals.is_(head, "success") == "pages: 1 created, 1 updated"
    assert proposals.plan(head)[0] == ("pending", "planning")
    said = proposals.says(number, "pages: 1 created, 1 updated")
    assert said.startswith(f"{MARKER}\n\n### Plan for `test` of `{head[:10]}`\n")
    assert "-one" in said
    assert "+two" in said
    assert "| `pages` | 1 created, 1 updated | `main` |" in said
    assert agent.published("pages", "index.html") == "one\n", "nothing is applied"


def test_a_push_to_it_updates_the_comment_in_place(proposals: Proposals) -> None:
    proposals.start()
    number, head = proposals.open({"pages/index.html": "two\n"})
    proposals.is_(head, "success")
    newer = proposals.branch({"pages/index.html": "three\n"})
    proposals.is_(newer, "success")
    said = proposals.says(number, "+three")
    assert "+two" not in said


def test_the_merge_is_planned_not_the_branch_as_it_was(agent: Running, proposals: Proposals) -> None:
    """Failure mode: a plan of the head alone would take back what the branch got since."""
    head = proposals.branch({"pages/new.html": "new\n"})
    agent.author.push({"pages/other.html": "other\n"})
    proposals.start()
    number = proposals.request("change")
    assert proposals.is_(head, "success") == "pages: 1 created"
    assert "other.html" not in proposals.comment(number)


@pytest.mark.slow
def test_a_branch_that_moves_makes_a_new_plan(agent: Running, proposals: Proposals) -> None:
    proposals.start()
    number, head = proposals.open({"pages/new.html": "new\n"})
    proposals.is_(head, "success")
    base = agent.author.push({"pages/index.html": "one and a half\n"})
    proposals.says(number, f"Merging it into `main` at `{base[:10]}`")
    agent.author.push({"pages/new.html": "mine\n"})
    assert proposals.is_(head, "failure") == "conflicts with main in pages/new.html"
    agent.author.push({"pages/new.html": None})
    proposals.is_(head, "success")


@pytest.mark.slow
def test_those_that_wait_for_their_turn_are_marked_stale(agent: Running, proposals: Proposals) -> None:
    proposals.start(pause=6)
    number, head = proposals.open({"pages/new.html": "new\n"})
    proposals.is_(head, "success")
    agent.author.push({"pages/index.html": "moved\n"})
    assert proposals.is_(head, "pending") == "stale: the branch has moved since"
    said = proposals.says(number, "\n> **Stale:** the branch has moved since.")
    assert "+new" in said, "the plan is still there to be read"
    proposals.is_(head, "success")
    eventually(lambda: "Stale" not in proposals.comment(number))


def test_a_conflict_is_the_authors_affair(agent: Running, proposals: Proposals) -> None:
    head = proposals.branch({"pages/index.html": "two\n"})
    agent.author.push({"pages/index.html": "three\n"})
    proposals.start()
    number = proposals.request("change")
    assert proposals.is_(head, "failure") == "conflicts with main in pages/index.html"
    assert "```text\nconflicts with main in pages/index.html\n```" in proposals.comment(number)


@pytest.mark.slow
def test_merged_closed_and_meant_for_another_branch(agent: Running, proposals: Proposals) -> None:
    proposals.start()
    opened = {name: proposals.open({f"pages/{name}.html": "new\n"}, name) for name in ("merged", "closed", "moved")}
    for _, head in opened.values():
        proposals.is_(head, "success")
    assert previews_of(agent) == {"base", "1", "2", "3"}
    proposals.ask("POST", "/pulls/1/merge", {"Do": "merge"})
    proposals.ask("PATCH", "/pulls/2", {"state": "closed"})
    git("push", "--quiet", "origin", "HEAD:refs/heads/other", at=agent.author.clone)
    proposals.ask("PATCH", "/pulls/3", {"base": "other"})
    merged = agent.repository.pulls[0]["merge_commit_sha"]
    assert proposals.says(1, "Merged as").endswith(f"Merged as `{merged[:10]}`. What comes of it is said on that commit.\n")
    assert proposals.says(2, "Closed without").endswith("Closed without being merged; nothing was applied.\n")
    assert proposals.says(3, "No longer").endswith("No longer meant for `main`.\n")
    eventually(lambda: previews_of(agent) == {"base"})
    agent.settled(merged)
    assert agent.published("pages", "merged.html") == "new\n"
    proposals.ask("PATCH", "/pulls/2", {"state": "open"})
    proposals.says(2, "1 created")


def previews_of(agent: Running) -> set[str]:
    mirror = agent.path / "state/test/previews/mirror.git"
    return {name.removeprefix("refs/previews/") for name in git("for-each-ref", "--format=%(refname)", at=mirror).split()}


def test_what_was_closed_while_the_agent_was_away_is_concluded(agent: Running, proposals: Proposals) -> None:
    proposals.start()
    number, head = proposals.open({"pages/new.html": "new\n"})
    proposals.is_(head, "success")
    proposals.says(number, "1 created")
    agent.kill()
    proposals.ask("PATCH", f"/pulls/{number}", {"state": "closed"})
    agent.start()
    proposals.says(number, "Closed without being merged")


def test_a_restart_says_nothing_twice(agent: Running, proposals: Proposals) -> None:
    proposals.start()
    number, head = proposals.open({"pages/new.html": "new\n"})
    proposals.is_(head, "success")
    proposals.says(number, "1 created")
    agent.kill()
    said = agent.gitea.count("PATCH", "/comments/"), agent.gitea.count("POST", "/statuses/")
    agent.start()
    eventually(lambda: proposals.log().count("preview environment=test") == 2 or proposals.log().count(f"head={head}") == 2)
    assert (agent.gitea.count("PATCH", "/comments/"), agent.gitea.count("POST", "/statuses/")) == said


def test_killed_in_the_middle(agent: Running, proposals: Proposals) -> None:
    proposals.start()
    number, head = proposals.open({"pages/new.html": "new\n"})
    proposals.is_(head, "pending")
    agent.kill()
    agent.start()
    proposals.is_(head, "success")
    proposals.says(number, "1 created")


def test_a_fork(agent: Running, proposals: Proposals) -> None:
    fork = agent.git_server.repository("ann/config")
    Author(agent.path / "ann", fork)
    agent.repository.forks["ann"] = fork
    proposals.start()
    number, head = proposals.open({"pages/new.html": "new\n"}, fork=fork)
    assert proposals.is_(head, "success") == "pages: 1 created"
    proposals.says(number, "+ create new.html")


def test_others_comments_are_left_alone_though_they_hold_the_marker(agent: Running, proposals: Proposals) -> None:
    proposals.configure()
    agent.start()
    agent.settled(agent.author.push({"pages/index.html": "one!\n"}))
    number = 1
    head = proposals.branch({"pages/new.html": "new\n"})
    agent.stop()
    assert proposals.request("change") == number
    proposals.ask("POST", f"/issues/{number}/comments", {"body": f"{MARKER}\nall is well"})
    agent.start()
    proposals.is_(head, "success")
    proposals.says(number, "1 created")
    assert proposals.comments(number)[0] == (ANN, f"{MARKER}\nall is well")


@pytest.mark.slow
def test_an_answer_that_was_lost_makes_no_second_comment(agent: Running, proposals: Proposals) -> None:
    """Failure mode 53."""
    proposals.start()
    number, head = proposals.open({"pages/new.html": "new\n"})
    proposals.is_(head, "success")
    agent.gitea.trouble.fail, agent.gitea.trouble.status = 3, 502
    newer = proposals.branch({"pages/new.html": "newer\n"})
    proposals.is_(newer, "success")
    proposals.says(number, "+newer")


def test_a_token_without_the_scopes_is_said_once(agent: Running, proposals: Proposals) -> None:
    """Failure mode 54."""
    agent.gitea.add_token("bot-token-of-the-agent", "write:repository")
    proposals.start()
    proposals.open({"pages/new.html": "new\n"})
    eventually(lambda: "previews wait, runs go on" in proposals.log())
    said = next(line for line in proposals.log().splitlines() if "previews wait" in line)
    assert "required=[read:issue]" in said
    assert "operator" in said
    sha = agent.author.push({"pages/index.html": "applied all the same\n"})
    agent.settled(sha)


def test_the_webhook_rings(agent: Running, proposals: Proposals) -> None:
    proposals.start(poll=3600)
    eventually(lambda: agent.gitea.count("GET", "/pulls") > 0)
    _, head = proposals.open({"pages/new.html": "new\n"})
    assert deliver(agent, "main") == 202
    proposals.is_(head, "success")
    assert deliver(agent, "other") == 422


def deliver(agent: Running, base: str) -> int:
    payload = {"action": "opened", "pull_request": {"base": {"ref": base}}, "repository": {"full_name": REPOSITORY}}
    body = json.dumps(payload, indent=2).encode()
    headers = {
        "Content-Type": "application/json",
        "X-Gitea-Event": "pull_request",
        "X-Gitea-Delivery": str(uuid.uuid4()),
        "X-Gitea-Signature": hmac.new(b"secret-of-the-webhook", body, hashlib.sha256).hexdigest(),
    }
    url = f"http://127.0.0.1:{agent.port}/webhook/gitea"
    return requests.post(url, data=body, headers=headers, timeout=10).status_code


@pytest.mark.slow
def test_nothing_is_said_while_suspended(agent: Running, proposals: Proposals) -> None:
    proposals.start()
    agent.api("/environments/test/suspend", {"why": "holidays"})
    number, head = proposals.open({"pages/new.html": "new\n"})
    listed = agent.gitea.count("GET", "/pulls")
    agent.author.push({"pages/index.html": "ring\n"})
    with pytest.raises(AssertionError):
        proposals.is_(head, "success", timeout=3)
    assert agent.gitea.count("GET", "/pulls") <= listed + 1
    agent.api("/environments/test/resume", {})
    proposals.is_(head, "success")
    proposals.says(number, "1 created")
