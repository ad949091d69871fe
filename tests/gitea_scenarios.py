"""What the agent asks of Gitea, scene by scene, with what must come of it.

Played by tests/live/test_gitea.py on a real Gitea, which records the exchanges; by tests/test_gitea_recorded.py on those recordings
and on the fake server. A scene that ends well on all three says that the client is right and the fake is honest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import requests

from gitops_agent.gitea import Comments, CommitGone, Gitea, Pulls, TokenRefused
from gitops_agent.model import CommitStatus, StatusState

GONE = "0123456789012345678901234567890123456789"


@dataclass(frozen=True)
class Stage:
    """A repository `live/config` with one commit nobody has said anything of, reached at `url` with a token of one kind."""

    url: str
    sha: str
    gitea: Gitea
    headers: dict[str, str]

    def ask(self, method: str, path: str, json: object = None) -> requests.Response:
        """A request that our client never makes, but people and other programs do."""
        url = f"{self.url}/api/v1/repos/{self.gitea.repository}{path}"
        return requests.request(method, url, json=json, headers=self.headers, timeout=10)

    def say(self, state: StatusState, description: str, context: str = "gitops/mini") -> CommitStatus:
        status = CommitStatus(self.sha, context, state, description, "http://agent.example/runs/1")
        self.gitea.create_status(status)
        return status


def statuses_of_a_run(stage: Stage) -> None:
    """Three within one second and one of a target: all are kept, the ids tell their order."""
    said = [
        stage.say(StatusState.PENDING, "reconciling"),
        stage.say(StatusState.FAILURE, "nginx: [emerg] unknown directive “servr”"),
        stage.say(StatusState.FAILURE, "[emerg] unknown directive", "gitops/mini/nginx"),
        stage.say(StatusState.SUCCESS, "applied; nginx: 1 updated"),
    ]
    assert stage.gitea.statuses(stage.sha) == said
    combined = stage.ask("GET", f"/commits/{stage.sha}/status?limit=50").json()
    assert combined["state"] == "failure", "the target's red status counts"
    assert {row["context"]: row["status"] for row in combined["statuses"]} == {
        "gitops/mini": "success",
        "gitops/mini/nginx": "failure",
    }
    assert stage.ask("GET", f"/commits/{stage.sha}/status?limit=1").json()["total_count"] == 1, "of the page, not of all"


def skipped_counts_as_success(stage: Stage) -> None:
    """What a commit gets that a newer one overtook."""
    stage.say(StatusState.PENDING, "reconciling")
    stage.say(StatusState.SKIPPED, "superseded by 0a1b2c3d4e")
    assert stage.ask("GET", f"/commits/{stage.sha}/status?limit=50").json()["state"] == "success"


def more_statuses_than_a_page(stage: Stage) -> None:
    """Failure mode 52."""
    for number in range(53):
        stage.say(StatusState.FAILURE, f"attempt {number}", f"gitops/mini/target-{number % 3}")
    assert [status.description for status in stage.gitea.statuses(stage.sha)] == [f"attempt {number}" for number in range(53)]


def a_commit_that_is_gone(stage: Stage) -> None:
    """Failure mode 55: 500 for the status, an empty list, 404 for the commit."""
    with pytest.raises(CommitGone):
        stage.gitea.create_status(CommitStatus(GONE, "gitops/mini", StatusState.SUCCESS, "applied"))
    assert stage.gitea.statuses(GONE) == []
    assert stage.gitea.has_commit(stage.sha)


def no_right_to_say_anything(stage: Stage) -> None:
    """Failure mode 54, by whatever the token lacks."""
    with pytest.raises(TokenRefused):
        stage.say(StatusState.SUCCESS, "applied")


def no_right_to_see_the_statuses(stage: Stage) -> None:
    with pytest.raises(TokenRefused):
        stage.gitea.statuses(stage.sha)


def webhooks_for_the_doctor(stage: Stage) -> None:
    """The secret is never given back; without `active` a hook is off."""
    config = {"url": "http://agent.example/webhook/gitea", "content_type": "json", "secret": "what-gitea-signs-with"}
    made = stage.ask("POST", "/hooks", {"type": "gitea", "config": config, "events": ["push"], "branch_filter": "main"})
    assert made.status_code == 201
    (hook,) = stage.gitea.hooks()
    assert (hook.id, hook.url, hook.active, hook.events) == (made.json()["id"], config["url"], False, ("push",))
    assert "what-gitea-signs-with" not in made.text
    assert stage.ask("DELETE", f"/hooks/{hook.id}").status_code == 204
    assert stage.ask("DELETE", f"/hooks/{hook.id}").status_code == 404
    assert stage.gitea.hooks() == []
    assert stage.gitea.version().startswith("1.")


def one_comment_kept_up_to_date(stage: Stage) -> None:
    """Others may write the same first line; Gitea never pages comments."""
    comments = Comments(stage.gitea.session, stage.gitea.repository)
    number = stage.ask("POST", "/issues", {"title": "Please"}).json()["number"]
    assert comments.own(number, "<!-- mine -->") is None
    comments.write(number, "<!-- mine -->", "<!-- mine -->\n\none")
    comments.write(number, "<!-- mine -->", "<!-- mine -->\n\ntwo")
    comments.write(number, "<!-- other -->", "<!-- other -->\n\nthree")
    comments.write(number, "<!-- mine -->", "<!-- mine -->\n\ntwo")
    assert comments.own(number, "<!-- mine -->") == "<!-- mine -->\n\ntwo"
    said = stage.ask("GET", f"/issues/{number}/comments?limit=1&page=1").json()
    assert [row["body"] for row in said] == ["<!-- mine -->\n\ntwo", "<!-- other -->\n\nthree"]
    assert Pulls(stage.gitea.session, stage.gitea.repository).listed("main") == []


def no_right_to_comment(stage: Stage) -> None:
    """Failure mode 54."""
    comments = Comments(stage.gitea.session, stage.gitea.repository)
    with pytest.raises(TokenRefused, match="scope"):
        comments.own(1, "<!-- mine -->")


@dataclass(frozen=True)
class Scene:
    play: Callable[[Stage], None]
    token: str = "writer"
    """`writer` (write:repository), `reader` (read:repository), `issues` (write:issue), `commenter` (what previews need),
    `wrong`, `none`, or `stranger`: a token of somebody who may not see the repository."""

    @property
    def name(self) -> str:
        return self.play.__name__ if self.token == "writer" else f"{self.play.__name__}-{self.token}"


SCENES = (
    Scene(statuses_of_a_run),
    Scene(skipped_counts_as_success),
    Scene(more_statuses_than_a_page),
    Scene(a_commit_that_is_gone),
    Scene(webhooks_for_the_doctor),
    Scene(one_comment_kept_up_to_date, "commenter"),
    Scene(no_right_to_comment),
    *(Scene(no_right_to_say_anything, token) for token in ("reader", "issues", "wrong", "none", "stranger")),
    *(Scene(no_right_to_see_the_statuses, token) for token in ("issues", "wrong", "none", "stranger")),
)
