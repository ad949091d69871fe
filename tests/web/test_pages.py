"""What people see: the state in words, nothing that an attacker wrote as markup, no secret."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from markupsafe import escape

from gitops_agent import secret
from gitops_agent.model import Outcome, Revision, Run, Step
from gitops_agent.worker import Awaiting, TargetStatus
from tests.web.conftest import World
from tests.web.test_access import csrf
from tests.web.world import revision, run

HOSTILE = "\"><script>alert('x')</script><img src=x onerror=alert(1)> {{ 7*7 }} ${7*7} \u202e"
CANARY = "canary<&\"'>/value-7f3a"


def words_of(html: str) -> str:
    """The text of a page, white space as one blank."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_overview_names_every_environment_with_its_state(world: World, person: FlaskClient) -> None:
    world.environments["staging"].suspend("for the move")
    page = words_of(person.get("/").text)
    assert re.search(r"mini-cloud success applied; nginx: 1 updated 1b54c1d0f3 Serve the new front page", page)
    assert re.search(r"staging suspended suspended for the move", page)
    assert "success: nginx success: consul" in page


@pytest.mark.parametrize(
    ("changed", "state", "sentence"),
    [
        ({"outcome": Outcome.FAILURE, "message": "nginx: reload failed"}, "failure", "nginx: reload failed"),
        ({"outcome": Outcome.ERROR, "message": "a/b.j2:3: 'x' is undefined"}, "error", "a/b.j2:3: &#39;x&#39; is undefined"),
        ({"ready": False, "outcome": None, "waiting": "another agent has the lock"}, "waiting", "another agent has the lock"),
        (
            {"outcome": None, "message": "", "fetch_error": "git.example.org: no answer"},
            "unreachable",
            "git.example.org: no answer",
        ),
        ({"outcome": None, "message": ""}, "no run yet", "no run yet"),
        (
            {"targets": (TargetStatus("nginx", "nginx", "success", "a.conf differs", drift=True),)},
            "drifted",
            "nginx: a.conf differs",
        ),
        (
            {"outcome": Outcome.AWAITING, "awaiting": Awaiting("0123456789ab", run(message="awaits approval: gitops-agent …"))},
            "awaiting approval",
            "awaits approval: gitops-agent …",
        ),
        ({"current": run(outcome=None, ended=0.0)}, "running", "in progress: health nginx is done"),
        ({"current": run(outcome=None, ended=0.0, steps=())}, "running", "just begun, by webhook"),
    ],
)
def test_state_of_an_environment(
    world: World, person: FlaskClient, *, changed: dict[str, object], state: str, sentence: str
) -> None:
    world.main.state = replace(world.main.state, **changed)  # type: ignore[arg-type]
    for path in ("/", "/environments/mini-cloud"):
        page = person.get(path).text
        assert f'class="badge {state.replace(" ", "-")}"' in page
        assert sentence in page
    assert f"<title>mini-cloud: {state} " in page


def test_environment_shows_head_attempted_and_applied(world: World, person: FlaskClient) -> None:
    world.main.state = replace(world.main.state, head=revision("Third", 3), attempted=revision("Second", 2), applied=None)
    page = words_of(person.get("/environments/mini-cloud").text)
    assert "Newest on main 3b54c1d0f3 Third Last attempted 2b54c1d0f3 Second Last applied none yet" in page


def test_commits_lead_to_gitea(world: World, person: FlaskClient) -> None:
    sha = revision("").sha
    assert f'href="https://git.example.org/ops/config/commit/{sha}"' in person.get("/environments/mini-cloud").text


def test_run_shows_timeline_plan_and_diff(world: World, person: FlaskClient) -> None:
    made = run()
    world.journal.record(made)
    page = person.get(f"/runs/{made.id}").text
    text = words_of(page)
    assert "applied; nginx: 1 updated" in text
    assert re.search(r"read: 9 ms.*render: 19 ms.*apply nginx: 105 ms, 45 ms after", text)
    assert "update conf.d/site.conf differs in content, mode" in text
    assert '<tr class="removed">' in page
    assert '<tr class="added">' in page
    assert "<del>420</del> → <ins>384</ins>" in page
    assert 'data-refresh="0"' in page


def test_run_in_progress_looks_again_soon(world: World, person: FlaskClient) -> None:
    begun = run(outcome=None, ended=0.0, message="")
    world.main.state = replace(world.main.state, current=begun)
    page = person.get(f"/runs/{begun.id}").text
    assert 'data-refresh="1000"' in page
    assert '<svg class="bar running"' in page
    assert 'http-equiv="refresh"' in page
    assert 'data-refresh="1000"' in person.get("/").text


def test_run_that_was_cut_short_is_called_so(world: World, person: FlaskClient) -> None:
    world.journal.record(run(outcome=None, ended=0.0, message=""))
    page = person.get(f"/runs/{run().id}").text
    assert 'class="badge cut-short"' in page
    assert "the agent ended before this run did" in page
    assert 'data-refresh="0"' in page


def test_older_runs(world: World, person: FlaskClient) -> None:
    for number in range(40):
        world.journal.record(run(f"20261123-2053{number:02}-000000", message=f"run number {number}", started=1e9 + number))
    page = person.get("/environments/mini-cloud").text
    older = re.search(r'href="(/runs\?environment=mini-cloud&amp;before=[^"]+)">Older runs', page)
    assert older is not None
    assert "run number 25" in page
    assert "run number 24" not in page
    assert "run number 24" in person.get(older[1].replace("&amp;", "&")).text
    assert "No runs before that one" in person.get("/runs?before=20261123-205300-000000").text


def test_forms_act_and_say_so(world: World, person: FlaskClient) -> None:
    token = csrf(person)
    path = "/environments/mini-cloud"
    answer = person.post(f"{path}/sync", data={"csrf": token}, follow_redirects=True)
    assert "A whole run was asked for." in answer.text
    person.post(f"{path}/sync", data={"csrf": token, "allow_deletes": " 3f9c02ab17de  0123456789ab "})
    assert world.main.syncs == [(), ("3f9c02ab17de", "0123456789ab")]
    answer = person.post(f"{path}/suspend", data={"csrf": token, "why": "for the move"}, follow_redirects=True)
    assert world.main.state.waiting == "suspended for the move"
    assert "Sync now" not in answer.text
    answer = person.post(f"{path}/sync", data={"csrf": token}, follow_redirects=True)
    assert "mini-cloud is suspended for the move; resume it first" in answer.text
    person.post(f"{path}/resume", data={"csrf": token})
    assert not world.main.state.suspended


def test_a_plan_that_awaits_approval_is_shown_and_approved(world: World, person: FlaskClient) -> None:
    waiting = run(outcome=Outcome.AWAITING, message="awaits approval: gitops-agent approve mini-cloud 0123456789ab")
    world.journal.record(waiting)
    path = "/environments/mini-cloud"
    assert "Approve this plan" not in person.get(f"/runs/{waiting.id}").text
    world.main.state = replace(world.main.state, awaiting=Awaiting("0123456789ab", waiting))
    for page in (path, f"/runs/{waiting.id}"):
        shown = person.get(page).text
        assert "Approve this plan" in shown
        assert "conf.d/site.conf" in shown, "the plan itself"
        assert 'name="digest" value="0123456789ab"' in shown
    token = csrf(person)
    answer = person.post(f"{path}/approve", data={"csrf": token, "digest": "f" * 12}, follow_redirects=True)
    assert "is not the plan that awaits approval" in answer.text
    answer = person.post(f"{path}/approve", data={"csrf": token, "digest": "0123456789ab"}, follow_redirects=True)
    assert "Approved: the plan is made once more" in answer.text
    assert world.main.approved == ["0123456789ab"]
    assert person.post(f"{path}/approve", data={"csrf": token}).status_code == 400


def test_form_with_a_digest_that_is_none(world: World, person: FlaskClient) -> None:
    answer = person.post("/environments/mini-cloud/sync", data={"csrf": csrf(person), "allow_deletes": "everything"})
    assert answer.status_code == 400
    assert not world.main.syncs


def test_unknown_pages_are_said_in_a_page(person: FlaskClient) -> None:
    for path in ("/environments/nowhere", "/runs/nothing", "/nothing"):
        answer = person.get(path)
        assert (answer.status_code, answer.mimetype) == (404, "text/html")
        assert "<h1>404</h1>" in answer.text


def test_lost_journal_takes_only_the_runs(world: World, person: FlaskClient, tmp_path) -> None:
    """A directory where the file should be: nothing can be read from it."""
    world.journal.close()
    for file in tmp_path.glob("journal.sqlite3*"):
        file.unlink()
    (tmp_path / "journal.sqlite3").mkdir()
    for path in ("/", "/environments/mini-cloud", "/runs"):
        answer = person.get(path)
        assert answer.status_code == 200
        assert "Runs cannot be shown:" in answer.text
    assert "applied; nginx: 1 updated" in person.get("/environments/mini-cloud").text
    assert person.get("/runs/any").status_code == 503


def loaded(text: str) -> Run:
    """A run with `text` wherever somebody else's words may stand."""
    change = {
        "action": "update",
        "name": text,
        "reason": text,
        "diff": f"content:\n@@ -1,1 +1,1 @@\n-{text}\n+{text}\n{text}: {text} → {text}",
    }
    plan = {"target": "nginx", "digest": text, "summary": text, "changes": [{**change, "destructive": text}]}
    step = Step("apply nginx", 1e9, 1e9 + 1, "failed", text)
    return run(trigger=text, revision=Revision(text, "1" * 40, text, text), message=text, steps=(step,), plans=(plan,))


def everything(world: World, person: FlaskClient, bearer: dict[str, str], text: str) -> dict[str, str]:
    """All that is ever shown, by path, with `text` wherever somebody else's words may stand."""
    made = loaded(text)
    world.journal.record(made)
    other = world.environments["staging"]
    world.main.state = replace(
        world.main.state,
        head=made.revision,
        applied=made.revision,
        message=text,
        fetch_error=text,
        targets=(TargetStatus("nginx", "nginx", "failure", text), TargetStatus("x", "files", "success", text, drift=True)),
    )
    other.state = replace(other.state, suspended=True, waiting=text, message=text)
    world.unready["staging"] = text
    pages = (
        "/",
        "/environments/mini-cloud",
        "/environments/staging",
        "/runs",
        f"/runs/{made.id}",
        f"/runs/{text}",
        f"/environments/{text}",
    )
    api = ("environments", "environments/mini-cloud", "runs", f"runs/{made.id}", f"runs/{text}")
    found = {path: person.get(path).text for path in (*pages, "/readyz")}
    found |= {f"/api/v1/{path}": person.get(f"/api/v1/{path}", headers=bearer).text for path in api}
    refused = person.post("/environments/staging/sync", data={"csrf": csrf(person)}, follow_redirects=True)
    return {**found, "flash": refused.text, "metrics": person.get("/metrics", headers=bearer).text}


def test_words_of_others_are_never_markup(world: World, person: FlaskClient, bearer: dict[str, str]) -> None:
    """Commit subjects, branch names, error texts and diffs come from whoever can push."""
    shown = everything(world, person, bearer, HOSTILE)
    for path, text in shown.items():
        if not path.startswith(("/api/", "/readyz")):
            assert "<script>alert" not in text, path
            assert "<img src=x" not in text, path
            assert "49" not in re.findall(r"onerror=alert\(1\)&gt; (\S+)", text), path
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in shown["/"]


@pytest.mark.parametrize(
    "value", [CANARY, '-----BEGIN KEY-----\nMIIB<secret>line-one\nMIIB"secret"line-two\n-----END KEY-----\n', "ключ-под-ковриком"]
)
def test_secrets_are_in_nothing_that_is_shown(world: World, person: FlaskClient, bearer: dict[str, str], value: str) -> None:
    """Failure mode 59: escaped for HTML or JSON, a secret would not look like itself any more; it is masked before that."""
    secret.remember(value)
    shown = everything(world, person, bearer, value)
    parts = [part for part in value.splitlines() if not part.startswith("-----")]
    forms = {form for part in parts for form in (part, str(escape(part)), json.dumps(part)[1:-1])}
    for path, text in shown.items():
        for form in forms:
            assert form not in text, path
    assert secret.SHOWN in shown["/"]
