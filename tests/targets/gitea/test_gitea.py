"""What only Gitea needs: secrets that are never told, access that must not be lost, parts that are dropped without a word."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_agent.errors import ApplyFailed, Conflict, InvalidRevision, Unavailable, UnsafePlan
from gitops_agent.gitea import TokenRefused
from gitops_agent.model import Action, Files
from gitops_agent.targets.gitea.target import GiteaTarget
from tests.conformance.converge import converge, plan
from tests.targets.gitea.server import BOT, PERSON, SCOPES, GiteaServer
from tests.targets.gitea.subject import KEY
from tests.targets.proxy import Proxy

Make = Callable[..., GiteaTarget]
RECORD = f"/repos/{BOT}/gitops-agent/contents/conformance/gitea.json"
BASE = {"organisations.yaml": b"acme: {}\n", "repositories.yaml": b"acme/config: {}\n"}
OWN_HOOK = "http://agent.example/webhook/gitea"


def files(**more: str) -> Files:
    return BASE | {f"{name.replace('_', '-')}.yaml": text.encode() for name, text in more.items()}


def hook(*, secret: str = "first-secret", header: str = "", url: str = OWN_HOOK, more: str = "") -> Files:
    text = f"acme/config/agent: {{url: '{url}', secret: '{secret}', authorization_header: '{header}'{more}}}\n"
    return files(webhooks=text)


def actions(target: GiteaTarget, what: Files) -> dict[str, Action]:
    return {change.name: change.action for change in converge(target, what)}


def test_another_secret_is_another_hook_and_the_same_is_none(make: Make, gitea: GiteaServer) -> None:
    converge(make(), hook())
    first = gitea.hook("acme/config", OWN_HOOK)["id"]
    assert not plan(make(), hook())
    assert actions(make(), hook(secret="second-secret")) == {"webhook:acme/config/agent": Action.UPDATE}
    assert gitea.hook("acme/config", OWN_HOOK)["id"] != first
    assert not plan(make(), hook(secret="second-secret"))


def test_all_else_of_a_hook_changes_in_place(make: Make, gitea: GiteaServer) -> None:
    converge(make(), hook())
    first = gitea.hook("acme/config", OWN_HOOK)["id"]
    moved = hook(url="http://agent2.example/webhook/gitea", header="Bearer a", more=", branch_filter: main, events: [push, create]")
    converge(make(), moved)
    found = gitea.hook("acme/config", "http://agent2.example/webhook/gitea")
    assert (found["id"], found["branch_filter"], sorted(found["events"])) == (first, "main", ["create", "push"])
    assert not plan(make(), moved)


def test_a_hook_that_somebody_made_anew_has_an_unknown_secret(make: Make, gitea: GiteaServer) -> None:
    converge(make(), hook())
    gitea.do("DELETE", f"/repos/acme/config/hooks/{gitea.hook('acme/config', OWN_HOOK)['id']}")
    body = {"type": "gitea", "active": True, "config": {"url": OWN_HOOK, "content_type": "json", "secret": "mine now"}}
    gitea.do("POST", "/repos/acme/config/hooks", body)
    assert actions(make(), hook()) == {"webhook:acme/config/agent": Action.UPDATE}
    assert gitea.hook("acme/config", OWN_HOOK), "and there is one of them"


def test_two_hooks_with_one_address_are_told_apart(make: Make) -> None:
    url = "http://ci.example/hook"
    both = files(webhooks=f"acme/config/a: {{url: '{url}'}}\nacme/config/b: {{url: '{url}', events: [create]}}\n")
    converge(make(), both)
    assert not plan(make(), both)


def test_no_secret_lies_in_the_record(make: Make, gitea: GiteaServer) -> None:
    converge(make(), hook(header="Bearer of-a-secret"))
    text = base64.b64decode(gitea.get(RECORD)["content"]).decode()
    assert "webhook:acme/config/agent" in text
    assert "first-secret" not in text
    assert "of-a-secret" not in text


def test_what_gitea_drops_without_a_word_fails(make: Make) -> None:
    """A user without a right to the repository, in a list of those who may push."""
    rule = f"acme/config/main: {{enable_push: true, enable_push_whitelist: true, push_whitelist_usernames: [{PERSON}]}}\n"
    with pytest.raises(ApplyFailed, match="not as declared: push_whitelist_usernames"):
        converge(make(), files(branch_protections=rule))


def test_somebody_whom_nobody_knows_fails_by_name(make: Make) -> None:
    team = "acme/developers: {units: {code: read}, members: [nobody-at-all]}\n"
    with pytest.raises(ApplyFailed, match="nobody-at-all"):
        converge(make(), files(teams=team))


def test_repositories_are_left_unless_told_and_then_wait_for_consent(make: Make, gitea: GiteaServer) -> None:
    more = files(repositories="acme/config: {}\nacme/shop: {}\n", webhooks="acme/config/a: {url: 'http://a.example/'}\n")
    converge(make(), more)
    less = files(webhooks="acme/config/a: {url: 'http://a.example/'}\n")
    assert not plan(make(), less)
    (gone,) = plan(make(allow_destroy=True), less).changes
    assert (gone.action, gone.destructive) == (Action.DELETE, "all commits, issues and releases in repository:acme/shop")
    converge(make(allow_destroy=True), less)
    assert gitea.get("/repos/acme/shop") is None
    assert gitea.get("/repos/acme/config")


def test_an_organisation_that_holds_others_repositories_stays(make: Make, gitea: GiteaServer) -> None:
    converge(make(), {"organisations.yaml": b"acme: {}\ntheirs: {}\n"})
    gitea.do("POST", "/orgs/theirs/repos", {"name": "own"})
    with pytest.raises(ApplyFailed, match=r"organisation:theirs: it holds own"):
        converge(make(allow_destroy=True), {"organisations.yaml": b"acme: {}\n"})


MEMBERS = f"acme/robots: {{units: {{code: write, issues: read}}, repositories: [config], members: [{BOT}]}}\n"
OWNERS = f"acme/Owners: {{members: [{BOT}, {PERSON}]}}\n"


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (files(teams=OWNERS), files(teams=f"acme/Owners: {{members: [{PERSON}]}}\n"), "is a member of"),
        (files(teams=MEMBERS), files(), "is a member of"),
        (files(teams=MEMBERS), files(teams=MEMBERS.replace("write", "read")), "has its access"),
        (files(teams=MEMBERS), files(teams=MEMBERS.replace("[config]", "[]")), "has access to repositories"),
        (files(), {**BASE, "repositories.yaml": b"acme/config: {archived: true}\n"}, "which the agent reads"),
        (files(), {"organisations.yaml": BASE["organisations.yaml"]}, "which the agent reads"),
        (files(), {"README.md": b""}, "which the agent reads"),
        (hook(), files(), "hears of pushes"),
        (hook(), hook(more=", active: false"), "hears of pushes"),
        (hook(), hook(url="http://elsewhere.example/"), "hears of pushes"),
        (hook(), hook(more=", events: [create]"), "hears of pushes"),
        (
            files(),
            files(branch_protections="acme/config/main: {enable_status_check: true, status_check_contexts: ['gitops/*']}\n"),
            "waits before a merge",
        ),
        (files(), {**BASE, "deploy-keys.yaml": f"{BOT}/gitops-agent/x: {{key: {KEY}}}\n".encode()}, "its own records"),
    ],
)
def test_what_cuts_off_the_agent_is_refused(make: Make, proxy: Proxy, before: Files, after: Files, why: str) -> None:
    own = {"source": "acme/config", "allow_destroy": True}
    converge(make(**own), before)
    writes = len(proxy.writes)
    with pytest.raises(UnsafePlan, match=why):
        converge(make(**own), after)
    assert len(proxy.writes) == writes


@pytest.mark.parametrize(
    "after",
    [
        hook(secret="rotated"),
        files(teams=MEMBERS.replace("issues: read", "issues: write").replace(BOT, f"{BOT}, {PERSON}")),
        files(branch_protections="acme/config/main: {enable_status_check: true, status_check_contexts: [ci/test]}\n"),
    ],
)
def test_what_does_not_is_applied(make: Make, after: Files) -> None:
    converge(make(source="acme/config"), files(teams=MEMBERS))
    what = {**after, "teams.yaml": after.get("teams.yaml", MEMBERS.encode())}
    converge(make(source="acme/config"), what)
    assert not plan(make(source="acme/config"), what)


def test_owners_are_adopted_and_survive_their_declaration(make: Make, gitea: GiteaServer) -> None:
    converge(make(), files(teams=OWNERS))
    converge(make(), files())
    assert gitea.names(gitea.team("acme", "Owners")["id"], "members", "login") == [PERSON, BOT]


def test_only_what_is_allowed_may_be_declared_and_is_pruned(make: Make) -> None:
    """Two environments with one Gitea."""
    converge(make(), hook())
    with pytest.raises(InvalidRevision, match=r"organisations.yaml:1: .*not among what"):
        plan(make(only=["webhook:acme/*"]), files())
    only = {path: content for path, content in hook().items() if path == "webhooks.yaml"}
    assert not plan(make(only=["webhook:acme/*"]), only)


def test_many_repositories_are_asked_for_at_once(make: Make, proxy: Proxy) -> None:
    many = {**BASE, "repositories.yaml": b"".join(b"acme/r%d: {has_wiki: false}\n" % number for number in range(52))}
    converge(make(), many)
    proxy.calls.clear()
    assert not plan(make(), many)
    assert [call for call in proxy.calls if "/repos/acme/" in call] == []
    assert len([call for call in proxy.calls if "/orgs/acme/repos" in call]) == 2, "two pages"


def test_a_renamed_repository_is_not_made_again(make: Make, gitea: GiteaServer) -> None:
    converge(make(), files())
    gitea.do("PATCH", "/repos/acme/config", {"name": "renamed"})
    with pytest.raises(InvalidRevision, match=r"repositories.yaml:1: .*was renamed"):
        plan(make(), files())


def test_a_branch_that_does_not_exist_cannot_be_the_default(make: Make, gitea: GiteaServer) -> None:
    converge(make(), files())
    gitea.do("POST", "/repos/acme/config/contents/a", {"content": "YQ==", "message": "a"})
    with pytest.raises(ApplyFailed, match="not as declared: default_branch"):
        converge(make(), files(repositories="acme/config: {default_branch: nonesuch}\n"))


def test_a_lost_compare_and_set_is_a_conflict(make: Make, gitea: GiteaServer) -> None:
    """Failure mode 65: two agents by mistake."""
    converge(make(), files())
    target = make()
    planned = plan(target, hook())
    converge(make(), files(teams=OWNERS))
    found = gitea.get(RECORD)
    changed = json.dumps({"owned": {"organisation:acme": {}}})
    body = {"content": base64.b64encode(changed.encode()).decode(), "sha": found["sha"], "message": "somebody else"}
    gitea.do("PUT", RECORD, body)
    with pytest.raises(Conflict, match=r"conformance/gitea.json"):
        [*target.apply(planned)]
    assert gitea.hook("acme/config", OWN_HOOK) is None, "nothing is made that is not claimed"


def test_a_damaged_record_stops_everything(make: Make, gitea: GiteaServer) -> None:
    converge(make(), files())
    body = {"content": base64.b64encode(b"nonsense").decode(), "sha": gitea.get(RECORD)["sha"], "message": "oops"}
    gitea.do("PUT", RECORD, body)
    with pytest.raises(Unavailable, match="is damaged"):
        plan(make(), files())


@pytest.mark.parametrize("missing", SCOPES[:2])
def test_a_token_without_a_scope_says_which(make: Make, gitea: GiteaServer, tmp_path: Path, missing: str) -> None:
    (tmp_path / "less").write_text(gitea.token(*({*SCOPES} - {missing})))
    with pytest.raises(TokenRefused, match=missing.partition(":")[2]):
        converge(make(token_file=str(tmp_path / "less")), files())


def test_with_the_record_made_by_hand_read_user_is_enough(make: Make, gitea: GiteaServer, tmp_path: Path) -> None:
    (tmp_path / "less").write_text(gitea.token("write:organization", "write:repository", "read:user"))
    with pytest.raises(TokenRefused, match=f"make the private repository {BOT}/gitops-agent"):
        converge(make(token_file=str(tmp_path / "less")), files())
    gitea.do("POST", "/user/repos", {"name": "gitops-agent", "private": True})
    converge(make(token_file=str(tmp_path / "less")), files())
    assert not plan(make(token_file=str(tmp_path / "less")), files())
