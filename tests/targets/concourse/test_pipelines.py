"""What the conformance suite does not ask: marks, credentials, races, archives, roles; on the fake and on a real Concourse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitops_agent.concourse import LoginRefused, RoleMissing
from gitops_agent.errors import Conflict, InvalidRevision, Unavailable, UnsafePlan
from gitops_agent.model import Action, Files
from gitops_agent.plan import Limits, guard
from gitops_agent.secret import SHOWN, Secret, placeholder
from gitops_agent.targets.concourse.target import ConcourseTarget
from tests.conformance.converge import carry_out, converge, plan
from tests.conformance.subject import KEY
from tests.targets.concourse.server import TEAM, ConcourseServer
from tests.targets.concourse.subject import pipeline
from tests.targets.proxy import Proxy

Make = Callable[..., ConcourseTarget]


def folder(**pipelines: bytes) -> Files:
    return {f"{TEAM}/{name.replace('_', '-')}.yml": content for name, content in pipelines.items()}


def row(concourse: ConcourseServer, name: str) -> Any:
    return next(row for row in concourse.rows() if row["name"] == name)


def with_source(**source: str) -> bytes:
    lines = "".join(f"\n    {name}: {value}" for name, value in source.items())
    getting = pipeline("app").replace(b"plan:\n", b"plan:\n  - get: repo\n")
    return getting + f"resources:\n- name: repo\n  type: git\n  check_every: never\n  source:{lines}\n".encode()


def test_your_own_user_data_stays_beside_the_mark(make: Make, concourse: ConcourseServer) -> None:
    converge(make(), folder(app=pipeline("app") + b"user_data: {owner: ops}\n"))
    assert concourse.config("app")[0]["user_data"] == {"owner": "ops", "gitops-agent": {"environment": "conformance"}}
    assert not plan(make(), folder(app=pipeline("app") + b"user_data: {owner: ops}\n"))


def test_a_reference_stays_a_reference_and_is_shown(make: Make, concourse: ConcourseServer) -> None:
    made = converge(make(), folder(app=with_source(uri="http://gitea/a.git", private_key="((deploy_key))")))
    assert concourse.config("app")[0]["resources"][0]["source"]["private_key"] == "((deploy_key))"
    assert "((deploy_key))" in made.text()


def test_credentials_in_the_clear_are_never_in_a_plan(make: Make, concourse: ConcourseServer) -> None:
    """Failure mode 59: neither what the repository holds nor what somebody set by hand, with or without a secret() beside it."""
    reference = placeholder(Secret("file:canary"), KEY)
    target = make(secrets=["file:*"])
    before = folder(app=with_source(uri="http://me:in-the-uri@gitea/a.git", password="in-the-clear", token=f'"{reference}"'))
    after = folder(app=with_source(uri="http://me:in-the-uri@gitea/a.git", password="changed-in-the-clear"))
    texts = []
    for files, applied in ((before, None), (after, before)):
        made = converge(target, files, applied=applied)
        texts += [made.text(), str(made.to_json())]
    concourse.set("app", {**concourse.config("app")[0], "resources": [{"name": "repo", "type": "git", "source": {"x": "by-hand"}}]})
    made = plan(target, after, applied=after)
    assert [change.action for change in made] == [Action.UPDATE]
    texts += [made.text(), str(made.to_json())]
    for text in texts:
        for credential in ("in-the-uri", "in-the-clear", "by-hand", "canary"):
            assert credential not in text.replace("file:canary", "")
    assert SHOWN in texts[0]


def test_who_set_a_pipeline_in_between_wins(make: Make, concourse: ConcourseServer) -> None:
    """Failure mode 44: compare-and-set."""
    target = make()
    converge(target, folder(app=pipeline("app"), other=pipeline("other")))
    made = plan(target, folder(app=pipeline("changed"), other=pipeline("other")))
    concourse.set("app", pipeline("by hand"))
    with pytest.raises(Conflict, match="pipeline:conformance/app was set by somebody else"):
        list(carry_out(target, made))
    assert concourse.config("app")[0]["jobs"][0]["plan"][0]["config"]["run"]["args"] == ["by hand"]


def test_what_somebody_created_in_between_is_not_overwritten(make: Make, concourse: ConcourseServer) -> None:
    target = make()
    made = plan(target, folder(app=pipeline("app")))
    concourse.set("app", pipeline("by hand"))
    with pytest.raises(Conflict):
        list(carry_out(target, made))


def test_what_somebody_changed_in_between_is_not_archived(make: Make, concourse: ConcourseServer) -> None:
    target = make()
    converge(target, folder(app=pipeline("app"), other=pipeline("other")))
    made = plan(target, folder(app=pipeline("app")))
    concourse.set("other", {**concourse.config("other")[0], "jobs": [{"name": "by-hand"}]})
    with pytest.raises(Conflict):
        list(carry_out(target, made))
    assert not row(concourse, "other")["archived"]


def test_removed_is_archived_and_comes_back(make: Make, concourse: ConcourseServer) -> None:
    both = folder(app=pipeline("app"), other=pipeline("other"))
    converge(make(), both)
    number = row(concourse, "other")["id"]
    converge(make(), folder(app=pipeline("app")), applied=both)
    assert row(concourse, "other")["archived"]
    assert not plan(make(), folder(app=pipeline("app")))
    made = converge(make(), both, applied=folder(app=pipeline("app")))
    assert [change.action for change in made] == [Action.CREATE]
    back = row(concourse, "other")
    assert (back["id"], back["archived"], back["paused"]) == (number, False, False)


def test_removed_is_destroyed_only_where_that_is_allowed_and_consented_to(make: Make, concourse: ConcourseServer) -> None:
    both = folder(app=pipeline("app"), other=pipeline("other"))
    target = make(allow_destroy=True)
    converge(target, both)
    made = plan(target, folder(app=pipeline("app")), applied=both)
    with pytest.raises(UnsafePlan, match="all builds of pipeline:conformance/other"):
        guard(made, Limits())
    list(carry_out(target, made))
    assert [row["name"] for row in concourse.rows()] == ["app"]


def test_only_what_is_paused_by_hand_is_touched(make: Make, concourse: ConcourseServer, proxy: Proxy) -> None:
    target = make()
    converge(target, folder(app=pipeline("app")))
    version = concourse.config("app")[1]
    concourse.act("app", "pause")
    proxy.calls.clear()
    made = converge(target, folder(app=pipeline("app")), applied=folder(app=pipeline("app")))
    assert [change.reason for change in made] == ["differs in paused"]
    assert concourse.config("app")[1] == version
    assert [call for call in proxy.writes if "/sky/" not in call] == [f"PUT /api/v1/teams/{TEAM}/pipelines/app/unpause"]


def test_unchanged_costs_two_calls_and_one_a_pipeline(make: Make, proxy: Proxy) -> None:
    files = folder(app=pipeline("app"), other=pipeline("other"), third=pipeline("third"))
    target = make()
    converge(target, files)
    proxy.calls.clear()
    assert not plan(target, files)
    assert len(proxy.calls) == 2 + 3


def test_a_mistake_in_one_keeps_all_from_being_set(make: Make, concourse: ConcourseServer) -> None:
    files = folder(app=pipeline("app"), wrong=b"jobs: [{name: j, plan: [{get: nothing}]}]\n")
    with pytest.raises(InvalidRevision, match=r"concourse says: invalid jobs: .*unknown resource 'nothing'") as raised:
        converge(make(), files)
    assert raised.value.file == f"{TEAM}/wrong.yml"
    assert concourse.rows() == []


def test_what_is_not_foreseen_is_written_once(make: Make, concourse: ConcourseServer, proxy: Proxy) -> None:
    """A Concourse that gives back something else than it was given."""
    files = folder(app=pipeline("app", LEVEL="3"))
    proxy.rewrite = lambda path, content: content.replace(b'"LEVEL"', b'"LOUDNESS"') if path.endswith("/config") else content
    converge(make(), files)
    version = concourse.config("app")[1]
    assert not plan(make(), files, applied=files)
    assert plan(make(), folder(app=pipeline("app", LEVEL="4")), applied=files)
    concourse.set("app", concourse.config("app")[0])
    assert plan(make(), files, applied=files), "somebody else's write is not covered by what was remembered"
    converge(make(), files, applied=files)
    assert concourse.config("app")[1] != version


def test_instances_are_left_alone(make: Make, proxy: Proxy) -> None:
    """Pipelines that a `set_pipeline` step made, with variables, of a pipeline of ours."""
    files = folder(app=pipeline("app"), other=pipeline("other"))
    converge(make(), files)
    proxy.rewrite = lambda path, content: (
        content.replace(b'"name":"other"', b'"name":"other","instance_vars":{"branch":"x"}').replace(
            b'"name": "other"', b'"name": "other", "instance_vars": {"branch": "x"}'
        )
        if path.endswith("/pipelines")
        else content
    )
    assert not plan(make(), folder(app=pipeline("app")), applied=files)


def test_no_role_in_a_team_is_said_before_anything_is_written(make: Make, concourse: ConcourseServer, proxy: Proxy) -> None:
    files = {**folder(app=pipeline("app")), "elsewhere/app.yml": pipeline("app")}
    with pytest.raises(RoleMissing, match="the agent is no member of team elsewhere"):
        converge(make(), files)
    assert concourse.rows() == []


def test_a_team_that_is_not_there_is_said_before_anything_is_written(
    make: Make, concourse: ConcourseServer, proxy: Proxy, tmp_path: Path
) -> None:
    """To an owner of team main, who may do everything everywhere."""
    (tmp_path / "password").write_text(concourse.password)
    target = make(client="", username=concourse.user, password_file=str(tmp_path / "password"))
    with pytest.raises(Unavailable, match="concourse has no team elsewhere"):
        converge(target, {**folder(app=pipeline("app")), "elsewhere/app.yml": pipeline("app")})
    assert concourse.rows() == []
    converge(target, folder(app=pipeline("app")))
    assert not plan(make(), folder(app=pipeline("app")))


def test_a_wrong_password_is_the_operators_affair(make: Make, tmp_path: Path) -> None:
    target = make()
    (tmp_path / "secret").write_text("wrong-secret\n")
    with pytest.raises(LoginRefused, match="concourse refuses the login of fly"):
        plan(target, folder(app=pipeline("app")))


def test_only_what_is_allowed(make: Make) -> None:
    with pytest.raises(
        InvalidRevision, match=r"pipeline:conformance/app is not among what agent\.toml lets this target own"
    ) as raised:
        plan(make(only=["pipeline:conformance/shop-*"]), folder(app=pipeline("app")))
    assert raised.value.file == f"{TEAM}/app.yml"


def test_environments_share_a_team(make: Make, concourse: ConcourseServer) -> None:
    shop = make(only=["pipeline:conformance/shop-*"])
    converge(make(only=["pipeline:conformance/app"]), folder(app=pipeline("app")))
    converge(shop, folder(shop_web=pipeline("web"), shop_db=pipeline("db")))
    made = plan(shop, folder(shop_web=pipeline("web")))
    assert [change.name for change in made] == ["pipeline:conformance/shop-db"]


def test_check_finds_mistakes_without_a_server(tmp_path: Path, make: Make, proxy: Proxy) -> None:
    target = make()
    mistakes = {
        f"{TEAM}.yml": (b"order: [app]\npaused: [ap]\n", "there is no conformance/ap.yml; did you mean 'app'", 2),
        f"{TEAM}/x.yml": (b"resources:\n- {name: r}\n- {name: r}\njobs: [{name: j}]\n", "resources has 'r' twice", 1),
        f"{TEAM}/y.yml": (b"jobs: [{nmae: j}]\n", "jobs must be a list of things with a name", 1),
        f"{TEAM}/Z.yml": (pipeline("app"), "cannot be a pipeline's name", 0),
    }
    for path, (content, said, line) in mistakes.items():
        with pytest.raises(InvalidRevision, match=said) as raised:
            target.parse({**folder(app=pipeline("app")), path: content})
        assert (raised.value.file, raised.value.line) == (path, line)
    assert proxy.calls == []
