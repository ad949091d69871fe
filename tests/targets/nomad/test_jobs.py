"""What Nomad's kind promises beyond the conformance suite, on the fake and, for `live` runs, on a real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_agent.errors import Conflict, InvalidRevision, Unavailable, UnsafePlan
from gitops_agent.model import Action
from gitops_agent.targets.nomad.target import Nomad
from tests.conformance.converge import carry_out, converge, desired, plan
from tests.targets.nomad import folder
from tests.targets.nomad.server import NomadServer
from tests.targets.nomad.subject import NomadSubject
from tests.targets.proxy import Proxy

FIRST = NomadSubject.first
Make = Callable[..., Nomad]


def test_unchanged_jobs_cost_one_list_call(make: Make, proxy: Proxy) -> None:
    files = {f"job-{number}.json": folder.in_json(folder.parameterized(f"job-{number}")) for number in range(30)}
    converge(make(), files)
    assert not plan(make(), files, applied=files), "plans each once, and remembers"
    proxy.calls.clear()
    assert not plan(make(), files, applied=files)
    assert [call.partition("?")[0] for call in proxy.calls] == ["GET /v1/var/gitops-agent/conformance/nomad", "GET /v1/jobs"]


def test_what_means_nothing_changes_nothing(make: Make, nomad: NomadServer) -> None:
    """Failure modes 20, 21, 22: defaults written out, other white space and comments, fields of the server's own."""
    job = folder.parameterized("report", FORMAT="pdf")
    converge(make(), {"report.json": folder.in_json(job), "nightly.hcl": folder.PERIODIC.encode()})
    indexes = {name: found["JobModifyIndex"] for name, found in nomad.running().items()}
    wordy = folder.in_json({**job, "Priority": 50, "JobModifyIndex": 7, "Namespace": "default", "Meta": None})
    spaced = folder.PERIODIC.replace('"0 3', '"0 3').replace("  group", "\n  # every night\n  group").encode()
    assert not converge(make(), {"report.json": wordy, "nightly.hcl": spaced})
    assert {name: found["JobModifyIndex"] for name, found in nomad.running().items()} == indexes


def test_who_changes_a_job_after_the_plan_wins(make: Make, nomad: NomadServer) -> None:
    """Failure mode 44, for a job that exists and for one that did not."""
    files = {"report.json": folder.in_json(folder.parameterized("report", FORMAT="pdf"))}
    target = make()
    created = plan(target, files)
    nomad.register(folder.parameterized("report", FORMAT="html"))
    with pytest.raises(Conflict, match="job:report was changed by somebody else"):
        [*carry_out(target, created)]
    taken_over = make(adopt=True)
    updated = plan(taken_over, files)
    nomad.register(folder.parameterized("report", FORMAT="txt"))
    with pytest.raises(Conflict, match="job:report"):
        [*carry_out(taken_over, updated)]
    assert nomad.running()["report"]["TaskGroups"][0]["Tasks"][0]["Env"] == {"FORMAT": "txt"}


def test_who_changes_the_record_after_the_plan_wins(make: Make, nomad: NomadServer) -> None:
    target = make()
    first = plan(target, FIRST)
    nomad.put_variable("gitops-agent/conformance/nomad", owned="job:other")
    with pytest.raises(Conflict, match="gitops-agent/conformance/nomad"):
        [*carry_out(target, first)]
    assert not nomad.running()


def test_a_damaged_record_stops_everything(make: Make, nomad: NomadServer) -> None:
    """Failure mode 37: without it nothing may be created or pruned."""
    nomad.put_variable("gitops-agent/conformance/nomad", something="else")
    with pytest.raises(Unavailable, match="is damaged"):
        plan(make(), FIRST)


def test_an_autoscaled_count_stays(make: Make, nomad: NomadServer) -> None:
    """Failure mode 23. Without a scaling block the count is the repository's."""
    scaled = folder.service().replace(b"    count = 1\n", b"    count = 1\n    scaling {\n      min = 1\n      max = 3\n    }\n")
    files = {"web.hcl": scaled, "web.vars": b'greeting = "Hello"\n'}
    converge(make(), files)
    live = nomad.running()["web"]
    nomad.register({**live, "TaskGroups": [{**live["TaskGroups"][0], "Count": 2}]})
    assert not plan(make(), files, applied=files)
    converge(make(), {**files, "web.vars": b'greeting = "Hi"\n'}, applied=files)
    assert nomad.running()["web"]["TaskGroups"][0]["Count"] == 2
    fixed = {**files, "web.hcl": folder.service()}
    converge(make(), fixed, applied=files)
    assert nomad.running()["web"]["TaskGroups"][0]["Count"] == 1


def test_the_plan_says_what_differs(make: Make, nomad: NomadServer) -> None:
    converge(make(), FIRST)
    nomad.register(folder.parameterized("report", FORMAT="html"))
    (change,) = plan(make(), FIRST, applied=FIRST)
    assert change.reason == "differs in group main: task main: Env[FORMAT]"
    assert change.diff == "group main: task main: Env[FORMAT]: html → pdf"


def test_live_values_are_not_shown_of_what_is_not_known(make: Make, nomad: NomadServer) -> None:
    nomad.register(folder.parameterized("report", FORMAT="whatever-Xq3", SOMETHING_OF_THEIRS="1"))
    what = plan(make(), FIRST)
    (change,) = what.only(Action.REFUSE)
    assert "Env[FORMAT]" in change.reason
    assert "whatever-Xq3" not in what.text()
    assert "SOMETHING_OF_THEIRS" not in what.text()


def test_a_stopped_job_comes_back_from_a_revert(make: Make, nomad: NomadServer) -> None:
    """Pruned jobs are stopped, not purged: the name is free for us again."""
    converge(make(), FIRST)
    less = {path: content for path, content in FIRST.items() if path != "report.json"}
    converge(make(), less, applied=FIRST)
    assert nomad.call("GET", "job/report")["Stop"] is True
    made = converge(make(), FIRST, applied=less)
    assert [(change.action, change.name) for change in made] == [(Action.CREATE, "job:report")]
    assert "report" in nomad.running()


def test_mistakes_have_file_and_line(make: Make) -> None:
    target = make()
    with pytest.raises(InvalidRevision, match=r"web\.nomad\.hcl:13: .*cuont"):
        plan(target, {**FIRST, "web.nomad.hcl": folder.service().replace(b"count ", b"cuont ")})
    with pytest.raises(InvalidRevision, match=r"web\.nomad\.hcl:6: job:web: Unset variable"):
        plan(target, {"web.nomad.hcl": folder.service()})
    with pytest.raises(InvalidRevision, match=r"batch/nightly\.hcl:1: job:nightly is declared twice"):
        target.parse({"again.hcl": folder.PERIODIC.encode(), "batch/nightly.hcl": folder.PERIODIC.encode()})


def test_only_what_agent_toml_allows(make: Make) -> None:
    with pytest.raises(InvalidRevision, match=r"variable:nomad/jobs/web is not among what agent\.toml lets this target own"):
        plan(make(only=["job:web", "job:report"]), FIRST)


def test_the_job_the_agent_runs_in_is_not_touched(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    converge(make(), FIRST)
    monkeypatch.setenv("NOMAD_JOB_ID", "report")
    with pytest.raises(UnsafePlan, match="would delete job:report, which the agent runs in"):
        plan(make(), {path: content for path, content in FIRST.items() if path != "report.json"}, applied=FIRST)


def test_a_missing_permission_is_named(make: Make, nomad: NomadServer, token_file: Path) -> None:
    token_file.write_text(
        nomad.token('namespace "default" {\n  variables {\n    path "*" {\n      capabilities = ["read"]\n    }\n  }\n}\n')
    )
    with pytest.raises(Unavailable, match=r"the agent's token lacks"):
        plan(make(), FIRST)


def test_an_unknown_token_is_named(make: Make, token_file: Path) -> None:
    token_file.write_text("99999999-9999-9999-9999-999999999999")
    with pytest.raises(Unavailable, match="nomad"):
        plan(make(), FIRST)


def test_what_others_did_after_the_plan_is_planned_anew(make: Make, nomad: NomadServer) -> None:
    """A job somebody purged between plan and apply: EnforceIndex says so."""
    converge(make(), FIRST)
    changed = {**FIRST, "report.json": folder.in_json(folder.parameterized("report", FORMAT="html"))}
    target = make()
    made = plan(target, changed, applied=FIRST)
    nomad.stop("report", purge=True)
    with pytest.raises(Conflict):
        [*carry_out(target, made)]
    assert [change.action for change in converge(target, changed, applied=FIRST)] == [Action.CREATE]
    assert desired(target, changed).get("job:report") is not None


def test_what_was_listed_before_an_evaluation_is_not_believed(make: Make, proxy: Proxy) -> None:
    """It knows nothing of the new version's deployment, and the version before is healthy."""
    target = make()
    converge(target, FIRST)
    proxy.calls.clear()
    target.health()
    calls = [call.removeprefix("GET /v1/").partition("?")[0].partition("/")[0] for call in proxy.calls]
    assert [*dict.fromkeys(calls)][:3] == ["evaluation", "jobs", "deployments"]
