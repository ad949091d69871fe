"""Namespaces, policies, roles and variables beside jobs: order, economy, what is never shown and what is never lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_agent import secret
from gitops_agent.errors import ApplyFailed, Conflict, InvalidRevision, Unavailable, UnsafePlan
from gitops_agent.model import Action
from gitops_agent.plan import Limits, guard
from gitops_agent.secret import Secret
from gitops_agent.targets.nomad.target import Nomad
from tests.conformance.converge import CANARY, carry_out, converge, plan
from tests.conformance.subject import KEY, REFERENCE
from tests.targets.nomad import folder
from tests.targets.nomad.server import NomadServer
from tests.targets.nomad.subject_access import AccessSubject
from tests.targets.proxy import Proxy

Make = Callable[..., Nomad]
REPORT = {"report.json": folder.in_json(folder.parameterized("report"))}
MOTD = {"variables.yaml": b"nomad/jobs/web:\n  motd: hello\n"}
ALL = {**AccessSubject.first, **MOTD, **REPORT}


@pytest.fixture
def ruling(make: Make, management_file: Path) -> Make:
    """`make` with a management token."""
    return lambda **more: make(token_file=str(management_file), **more)


def test_what_others_need_comes_first_and_goes_last(ruling: Make) -> None:
    order = ["namespace", "policy", "role", "variable", "job"]
    made = converge(ruling(allow_destroy=True), ALL)
    assert [*dict.fromkeys(change.name.partition(":")[0] for change in made)] == order
    gone = converge(ruling(allow_destroy=True), {}, applied=ALL)
    assert [*dict.fromkeys(change.name.partition(":")[0] for change in gone)] == order[::-1]
    assert {change.action for change in gone} == {Action.DELETE}


def test_what_is_unchanged_costs_a_list_call_a_type(ruling: Make, proxy: Proxy) -> None:
    converge(ruling(), ALL)
    assert not plan(ruling(), ALL, applied=ALL), "reads each once, and remembers"
    proxy.calls.clear()
    assert not plan(ruling(), ALL, applied=ALL)
    lists = ["acl/token/self", "namespaces", "acl/policies", "acl/roles", "vars", "jobs"]
    expected = ["GET /v1/var/gitops-agent/conformance/nomad", *(f"GET /v1/{path}" for path in lists)]
    assert [call.partition("?")[0] for call in proxy.calls] == expected


@pytest.mark.slow
def test_a_thousand_unchanged_jobs_cost_one_list_call(make: Make, proxy: Proxy) -> None:
    files = {f"job-{number}.json": folder.in_json(folder.parameterized(f"job-{number}")) for number in range(1000)}
    converge(make(), files)
    assert not plan(make(), files, applied=files)
    proxy.calls.clear()
    assert not plan(make(), files, applied=files)
    assert [call.partition("?")[0] for call in proxy.calls] == ["GET /v1/var/gitops-agent/conformance/nomad", "GET /v1/jobs"]


def test_a_folder_of_jobs_asks_for_nothing_else(make: Make, proxy: Proxy) -> None:
    converge(make(), REPORT)
    assert not [call for call in proxy.calls if "acl" in call or "namespaces" in call or "/vars" in call]


def test_a_lesser_token_is_refused_before_it_is_believed(make: Make) -> None:
    """Nomad would show it a part of the lists, and all the rest would be made anew."""
    with pytest.raises(Unavailable, match="need a management token"):
        plan(make(), AccessSubject.first)


def test_a_variable_that_the_token_may_not_see_is_not_taken_for_absent(
    make: Make, nomad: NomadServer, token_file: Path, tmp_path: Path
) -> None:
    converge(make(), MOTD)
    rules = 'path "gitops-agent/*" {\n capabilities = ["read", "write"]\n}\n path "other/*" {\n capabilities = ["list"]\n}'
    token = nomad.token(f'namespace "default" {{\n capabilities = ["list-jobs"]\n variables {{\n {rules}\n}}\n}}\n')
    token_file.write_text(token)
    (tmp_path / "memory.json").unlink()
    with pytest.raises(Unavailable, match="the agent's token lacks"):
        plan(make(), MOTD)


def test_what_a_live_variable_holds_is_never_shown(make: Make, nomad: NomadServer) -> None:
    """Failure mode 59: not even where the repository declares an ordinary text."""
    converge(make(), MOTD)
    nomad.put_variable("nomad/jobs/web", motd="somebody-elses-password", more="one-more-secret")
    made = plan(make(), MOTD, applied=MOTD)
    assert [change.action for change in made] == [Action.UPDATE]
    said = made.text() + str(made.to_json())
    assert "password" not in said
    assert "one-more-secret" not in said
    assert "items.motd" in said
    secretive = {"variables.yaml": f"nomad/jobs/web:\n  key: {secret.placeholder(Secret(REFERENCE), KEY)}\n".encode()}
    target = make(secrets=["file:*"])
    shown = converge(target, secretive, applied=MOTD)
    assert CANARY not in shown.text() + str(shown.to_json())
    assert nomad.variable("nomad/jobs/web")["Items"] == {"key": CANARY}
    assert not plan(target, secretive, applied=secretive)
    assert CANARY not in "".join(file.read_text() for file in target.site.directory.glob("memory*"))


def test_a_variable_written_by_others_after_the_plan_wins(make: Make, nomad: NomadServer) -> None:
    target = make()
    for before, files in ((None, MOTD), (MOTD, {"variables.yaml": b"nomad/jobs/web:\n  motd: bye\n"}), (MOTD, REPORT)):
        made = plan(target, files, applied=before)
        nomad.put_variable("nomad/jobs/web", motd="theirs")
        with pytest.raises(Conflict, match="variable:nomad/jobs/web was changed by somebody else"):
            [*carry_out(target, made)]
        assert nomad.variable("nomad/jobs/web")["Items"] == {"motd": "theirs"}
        converge(make(adopt=True), MOTD, applied=before)


def test_a_policy_written_by_others_after_the_plan_wins(ruling: Make, nomad: NomadServer) -> None:
    converge(ruling(), AccessSubject.first)
    target = ruling()
    made = plan(target, AccessSubject.second, applied=AccessSubject.first)
    nomad.call("POST", "acl/policy/t-read", {"Name": "t-read", "Rules": 'agent {\n  policy = "read"\n}\n'})
    with pytest.raises(Conflict, match="policy:t-read was changed by somebody else"):
        [*carry_out(target, made)]


def test_a_namespace_and_its_first_job_come_together(ruling: Make, nomad: NomadServer) -> None:
    files = {"namespaces.yaml": b"t-apps: {}\n", "report.json": REPORT["report.json"], **MOTD}
    target = ruling(namespace="t-apps")
    converge(target, files)
    assert nomad.call("GET", "job/report", namespace="t-apps")["Namespace"] == "t-apps"
    assert not plan(ruling(namespace="t-apps"), files, applied=files)
    kept = plan(ruling(namespace="t-apps", allow_destroy=True), {**REPORT, **MOTD}, applied=files)
    assert not kept, "it holds the record of what is owned"


def test_a_namespace_goes_with_consent_only(ruling: Make, nomad: NomadServer) -> None:
    """Failure mode 30: it may hold what others put there."""
    files = {"namespaces.yaml": b"t-apps: {}\n", **REPORT}
    converge(ruling(), files)
    assert not plan(ruling(), REPORT, applied=files)
    target = ruling(allow_destroy=True)
    made = plan(target, REPORT, applied=files)
    with pytest.raises(UnsafePlan, match="would destroy namespace:t-apps"):
        guard(made, Limits())
    nomad.call("PUT", "jobs", {"Job": {**folder.parameterized("inside"), "Namespace": "t-apps"}}, namespace="t-apps")
    with pytest.raises(ApplyFailed, match="namespace:t-apps: nomad answered 500"):
        [*carry_out(target, made)]
    assert [row["Name"] for row in nomad.named("namespaces")] == ["t-apps"]


def test_a_role_needs_policies_that_there_are(ruling: Make, nomad: NomadServer) -> None:
    nomad.call("POST", "acl/policy/t-theirs", {"Name": "t-theirs", "Rules": 'agent {\n  policy = "read"\n}\n'})
    converge(ruling(), {"roles.yaml": b"t-one:\n  policies: [t-theirs]\n"})
    with pytest.raises(InvalidRevision, match=r"roles\.yaml:1: role:t-one: there is no policy t-their$"):
        plan(ruling(), {"roles.yaml": b"t-one:\n  policies: [t-their]\n"})


def test_a_variable_too_big_is_the_authors_mistake(make: Make) -> None:
    with pytest.raises(InvalidRevision, match=r"variables\.yaml:1: .* 65536 fit"):
        plan(make(), {"variables.yaml": b"nomad/jobs/web:\n  a: " + b"x" * 70_000 + b"\n"})
