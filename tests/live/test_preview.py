"""Pull requests on a real Gitea: opened, updated, made stale, merged, closed, from a fork; told by its webhook. With CONCOURSE_LIVE
(tests/concourse/conftest.py), on a Concourse with a team `proposals` of its user, their merges are validated, too."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.live.gitea import Clone, LiveGitea
from tests.live.test_agent import Agent
from tests.worker.running import eventually

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif("GITEA_LIVE" not in os.environ, reason="GITEA_LIVE names no Gitea"),
]
PREVIEWS = '[environments.live.previews]\npoll = "1h"\npause = 1\n'


@pytest.fixture
def agent(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Agent]:
    """The bot is another user than the one who proposes, with no more than what the manual asks for."""
    live = LiveGitea()
    built = Agent(tmp_path, live, free_port())
    name, password = f"bot-{secrets.token_hex(4)}", secrets.token_hex(12)
    form = {"username": name, "password": password, "email": f"{name}@example.org", "must_change_password": False}
    live.ask("POST", "/admin/users", form)
    live.ask("PUT", f"/repos/{built.repository}/collaborators/{name}", {"permission": "write"})
    token = live.token("write:repository", "write:issue", "read:user", user=(name, password))
    (tmp_path / "token").write_text(token)
    config = {"url": f"{built.url}/webhook/gitea", "content_type": "json", "secret": built.secret}
    hook = {"type": "gitea", "active": True, "config": config, "events": ["push", "pull_request", "pull_request_sync"]}
    live.ask("POST", f"/repos/{built.repository}/hooks", hook)
    yield built
    built.stop()


def propose(clone: Clone, branch: str, text: str, file: str, remote: str = "") -> str:
    """Committed on top of main, pushed to a branch of its own."""
    clone.git("checkout", "--quiet", "-B", "proposed", "main")
    path = clone.directory / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "--message", f"Propose {text[:20]!r}")
    clone.git("push", "--quiet", "--force", remote or clone.remote, f"HEAD:refs/heads/{branch}")
    sha = clone.git("rev-parse", "HEAD")
    clone.git("checkout", "--quiet", "main")
    return sha


def request(agent: Agent, head: str) -> int:
    form = {"head": head, "base": "main", "title": "Please"}
    return int(agent.live.ask("POST", f"/repos/{agent.repository}/pulls", form)["number"])


def comment(agent: Agent, number: int) -> str:
    rows = agent.live.ask("GET", f"/repos/{agent.repository}/issues/{number}/comments")
    own = [row["body"] for row in rows if row["user"]["login"].startswith("bot-")]
    assert len(own) < 2
    return own[0] if own else ""


def says(agent: Agent, number: int, text: str) -> str:
    eventually(lambda: text in comment(agent, number), 20, text)
    return comment(agent, number)


def plan(agent: Agent, sha: str) -> str:
    rows = agent.live.combined(agent.repository, sha)["statuses"] or []
    return next((f"{row['status']}: {row['description']}" for row in rows if row["context"] == "gitops/plan"), "")


def test_opened_updated_made_stale_merged_and_closed(agent: Agent) -> None:
    agent.clone.push("one")
    agent.start(PREVIEWS)
    eventually(lambda: agent.published() == "one")
    head = propose(agent.clone, "x;$(id)", "two", "pages/index.html")
    began = time.monotonic()
    number = request(agent, "x;$(id)")
    eventually(lambda: plan(agent, head) == "success: pages: 1 updated")
    print(f"opened → planned: {time.monotonic() - began:.1f} s")  # noqa: T201
    says(agent, number, '"one"')
    newer = propose(agent.clone, "x;$(id)", "three", "pages/index.html")
    eventually(lambda: plan(agent, newer) == "success: pages: 1 updated")
    assert "two" not in says(agent, number, "three")
    base = agent.clone.push("other", "pages/other.html")
    says(agent, number, f"Merging it into `main` at `{base[:10]}`")
    agent.clone.push("four")
    eventually(lambda: plan(agent, newer) == "failure: conflicts with main in pages/index.html")
    agent.clone.push("one")
    eventually(lambda: plan(agent, newer) == "success: pages: 1 updated")
    eventually(lambda: agent.published() == "one")
    eventually(lambda: merged(agent, number))
    sha = agent.live.ask("GET", f"/repos/{agent.repository}/pulls/{number}")["merge_commit_sha"]
    says(agent, number, f"Merged as `{sha[:10]}`")
    eventually(lambda: agent.published() == "three")
    agent.clone.git("pull", "--quiet", agent.clone.remote, "main")
    head = propose(agent.clone, "closed", "five", "pages/index.html")
    number = request(agent, "closed")
    eventually(lambda: plan(agent, head) == "success: pages: 1 updated")
    says(agent, number, "five")
    agent.live.ask("PATCH", f"/repos/{agent.repository}/pulls/{number}", {"state": "closed"})
    says(agent, number, "Closed without being merged")


_TASK = """
platform: linux
inputs: [{{name: config}}]
run: {{path: sh, args: [-c, "cd config/pages && ! grep -h forbidden * || exit 1; ! grep -q slow * || sleep 60"]}}
{image}
"""


def verdict(agent: Agent, sha: str) -> str:
    rows = agent.live.combined(agent.repository, sha)["statuses"] or []
    return next((f"{row['status']}: {row['description']}" for row in rows if row["context"] == "concourse/validate"), "")


@pytest.mark.timeout(600)
@pytest.mark.skipif("CONCOURSE_LIVE" not in os.environ, reason="CONCOURSE_LIVE names no Concourse")
def test_its_merge_is_validated(agent: Agent) -> None:
    (agent.directory / "password").write_text(os.environ["CONCOURSE_PASSWORD"])
    image = "\n".join(f"{key}: {json.dumps(value)}" for key, value in json.loads(os.environ["CONCOURSE_IMAGE"]).items())
    agent.clone.push("one")
    agent.clone.push(_TASK.format(image=image), "ci/validate.yml")
    agent.start(f"""
[environments.live.validation]
address = "{os.environ["CONCOURSE_LIVE"]}"
username = "{os.environ["CONCOURSE_USER"]}"
password_file = "{agent.directory}/password"
{PREVIEWS}
[environments.live.previews.validation]
team = "proposals"
""")
    eventually(lambda: agent.published() == "one", 120)
    head = propose(agent.clone, "change", "forbidden", "pages/new.html")
    number = request(agent, "change")
    eventually(lambda: verdict(agent, head).startswith("failure: build"), 120, verdict(agent, head))
    assert verdict(agent, head).endswith("failed: forbidden")
    head = propose(agent.clone, "change", "fine", "pages/new.html")
    eventually(lambda: verdict(agent, head).startswith("success: found good"), 120, verdict(agent, head))
    print(verdict(agent, head))  # noqa: T201
    agent.clone.push("forbidden", "pages/other.html")
    eventually(lambda: verdict(agent, head).endswith("failed: forbidden"), 120, "the merge is judged, not the head")
    agent.clone.push("well again", "pages/other.html")
    eventually(lambda: verdict(agent, head).startswith("success"), 120, verdict(agent, head))
    head = propose(agent.clone, "change", "slow", "pages/new.html")
    eventually(lambda: verdict(agent, head).startswith("pending: build"), 120, verdict(agent, head))
    agent.live.ask("PATCH", f"/repos/{agent.repository}/pulls/{number}", {"state": "closed"})
    eventually(lambda: verdict(agent, head) == "skipped: no longer open", 120, verdict(agent, head))
    head = propose(agent.clone, "merged", "fine", "pages/merged.html")
    number = request(agent, "merged")
    eventually(lambda: verdict(agent, head).startswith("success"), 120, verdict(agent, head))
    eventually(lambda: merged(agent, number), 120)
    sha = agent.live.ask("GET", f"/repos/{agent.repository}/pulls/{number}")["merge_commit_sha"]
    eventually(lambda: verdict(agent, sha).startswith("success: found good"), 120, verdict(agent, sha))
    assert (agent.directory / "pages/current/merged.html").read_text() == "fine"


def merged(agent: Agent, number: int) -> bool:
    """Gitea says 405 while it still looks whether it can be."""
    url = f"{agent.live.url}/api/v1/repos/{agent.repository}/pulls/{number}/merge"
    return requests.post(url, json={"Do": "merge"}, auth=(agent.live.user, agent.live.password), timeout=30).ok


def test_a_fork_whose_owner_says_bad_things(agent: Agent) -> None:
    agent.clone.push("one")
    name, password = f"mallory-{secrets.token_hex(4)}", secrets.token_hex(12)
    form = {"username": name, "password": password, "email": f"{name}@example.org", "must_change_password": False}
    agent.live.ask("POST", "/admin/users", form)
    agent.live.ask("PUT", f"/repos/{agent.repository}/collaborators/{name}", {"permission": "read"})
    fork = agent.live.ask("POST", f"/repos/{agent.repository}/forks", {}, auth=(name, password))["full_name"]
    agent.start(PREVIEWS)
    eventually(lambda: agent.published() == "one")
    injected = f"```\n</details>\n\n# Approved @{agent.live.user} closes #1 <img src=x>\n"
    head = propose(agent.clone, "bad", injected, "pages/index.html", f"{agent.live.url}/{fork}.git")
    form = {"head": f"{name}:bad", "base": "main", "title": "Please"}
    url = f"/repos/{agent.repository}/pulls"
    number = int(agent.live.ask("POST", url, form, auth=(name, password))["number"])
    eventually(lambda: plan(agent, head) == "success: pages: 1 updated")
    shown = rendered(agent, says(agent, number, "Approved"))
    assert "<img" not in shown
    assert "<h1" not in shown
    assert 'class="mention"' not in shown
    assert "ref-issue" not in shown
    assert shown.count("<details>") == shown.count("</details>") == 1


def rendered(agent: Agent, text: str) -> str:
    """As Gitea shows it."""
    form: dict[str, Any] = {"Text": text, "Mode": "comment", "Context": f"/{agent.repository}"}
    auth = (agent.live.user, agent.live.password)
    return requests.post(f"{agent.live.url}/api/v1/markdown", json=form, auth=auth, timeout=30).text
