"""Failure modes 3, 8, 9, 60 and 61: what Gitea sends rings the right bells, everything else rings none and is told why."""

from __future__ import annotations

import threading
import time

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gitops_agent import web
from tests.web import gitea
from tests.web.conftest import World
from tests.web.world import TOKEN, WEBHOOK_SECRET, environment


def deliver(client: FlaskClient, body: bytes | None = None, **options: str) -> TestResponse:
    body = gitea.payload() if body is None else body
    return client.post("/webhook/gitea", data=body, headers=gitea.headers(body, **options))


def quiet(world: World) -> bool:
    return not any(each.wakes for each in world.environments.values())


def test_push_rings_the_environment_of_its_branch(world: World, client: FlaskClient) -> None:
    answer = deliver(client)
    assert answer.status_code == 202
    assert answer.json == {"queued": ["mini-cloud"], "reason": "push"}
    assert world.main.wakes == ["webhook"]
    assert world.environments["staging"].wakes == []


def test_new_branch_rings_too(world: World, client: FlaskClient) -> None:
    assert deliver(client, gitea.payload(before=gitea.ZEROS)).status_code == 202
    assert world.main.wakes == ["webhook"]


@pytest.mark.parametrize("ref", ["refs/heads/main", "main"])
def test_test_delivery_rings_and_is_called_so(world: World, client: FlaskClient, ref: str) -> None:
    """Gitea's button sends a push whose before and after are the same; through its API the ref may be the short name."""
    answer = deliver(client, gitea.payload(ref, before="3" * 40, after="3" * 40))
    assert answer.json == {"queued": ["mini-cloud"], "reason": "test delivery"}
    assert world.main.wakes == ["webhook"]


def test_repository_is_compared_as_gitea_compares_names(world: World, client: FlaskClient) -> None:
    assert deliver(client, gitea.payload(repository="Ops/Config")).status_code == 202
    assert world.main.wakes == ["webhook"]


def test_one_secret_for_several_environments_rings_all_of_the_branch(world: World, client: FlaskClient, tmp_path) -> None:
    twins = {name: environment(name, tmp_path) for name in ("first", "second")}
    app = web.create(twins, world.journal, TOKEN, "http://agent", dict)
    assert deliver(app.test_client()).json == {"queued": ["first", "second"], "reason": "push"}


@pytest.mark.parametrize(
    ("body", "event", "status", "reason"),
    [
        (gitea.payload("refs/heads/feature"), "push", 422, "no environment follows branch 'feature'"),
        (gitea.payload("refs/heads/staging"), "push", 422, "no environment follows branch 'staging'"),
        (gitea.payload("refs/tags/v1"), "push", 422, "'refs/tags/v1' is no branch"),
        (gitea.payload("refs/tags/v1", after=gitea.ZEROS), "push", 422, "'refs/tags/v1' is no branch"),
        (gitea.payload(after=gitea.ZEROS), "push", 422, "branch 'main' was deleted"),
        (gitea.payload("main", ref_type="branch"), "create", 422, "the push event of the same branch rings"),
        (gitea.payload("main", ref_type="branch"), "delete", 422, "what was applied stays"),
        (gitea.payload(context="ci/test"), "status", 422, "no environment requires status 'ci/test'"),
        (gitea.payload(), "status", 400, "the payload has no text context"),
        (gitea.payload(repository="evil/config", context="ci/test"), "status", 404, "follows repository 'evil/config'"),
        (gitea.payload(), "issues", 422, "event 'issues' is ignored"),
        (gitea.payload(), "pull_request", 400, "the payload has no text pull_request.base.ref"),
        (gitea.payload(pull_request={"base": {"ref": "main"}}), "pull_request", 422, "has previews"),
        (gitea.payload(pull_request={"base": {"ref": "x"}}), "pull_request", 422, "no environment follows branch 'x'"),
        (gitea.payload(), "", 422, "X-Gitea-Event is missing"),
        (gitea.payload(repository="evil/config"), "push", 404, "follows repository 'evil/config'"),
        (b"[]", "push", 400, "the payload has no text ref"),
        (gitea.payload(repository=7), "push", 400, "the payload has no text repository.full_name"),  # type: ignore[arg-type]
        (b"payload=%7B%7D", "push", 400, "the body is not JSON"),
        (b"\xff\xfe", "push", 400, "the body is not JSON"),
        (b"[" * 200_000, "push", 400, "the body is not JSON"),
        (b'{"ref": ' + b"9" * 9000 + b"}", "push", 400, "the body is not JSON"),
    ],
)
def test_what_rings_nothing_says_why(
    world: World, client: FlaskClient, *, body: bytes, event: str, status: int, reason: str
) -> None:
    """Failure modes 8, 9 and 61: 2xx only when something was queued."""
    answer = deliver(client, body, event=event)
    assert answer.status_code == status
    assert answer.json is not None
    assert answer.json["queued"] == []
    assert reason in answer.json["reason"]
    assert quiet(world)


def test_status_rings_who_requires_it(world: World, client: FlaskClient) -> None:
    """Not for what the agent itself says: that comes back to it the same way, and would ring it for ever."""
    world.main.settings = world.main.settings.model_copy(update={"requires": ("ci/*", "*")})
    app = web.create(world.environments, world.journal, TOKEN, "http://agent", dict)
    answer = deliver(app.test_client(), gitea.payload(context="ci/test"), event="status")
    assert answer.json == {"queued": ["mini-cloud"], "reason": "status"}
    assert world.main.wakes == ["status"]
    assert deliver(app.test_client(), gitea.payload(context="gitops/mini-cloud"), event="status").status_code == 422
    assert world.main.wakes == ["status"]


def test_secret_of_another_environment_does_not_ring_this_one(world: World, client: FlaskClient) -> None:
    assert deliver(client, secret="what-staging-is-signed-with").status_code == 422
    assert quiet(world)


@pytest.mark.parametrize("signature", ["", "0" * 64, "deadbeef", "ä" * 64, gitea.sign(gitea.payload()).upper()])
def test_missing_empty_or_wrong_signature_is_401(world: World, client: FlaskClient, signature: str) -> None:
    """Gitea sends the header empty where the hook has no secret: that is not "signed"."""
    assert deliver(client, X_Gitea_Signature=signature).status_code == 401
    assert quiet(world)


def test_an_empty_key_signs_nothing(world: World, client: FlaskClient) -> None:
    body = gitea.payload()
    answer = deliver(client, body, X_Gitea_Signature=gitea.sign(body, ""))
    assert answer.status_code == 401
    assert quiet(world)


def test_signature_is_of_the_raw_body(world: World, client: FlaskClient) -> None:
    body = gitea.payload()
    answer = client.post("/webhook/gitea", data=body.replace(b"  ", b" "), headers=gitea.headers(body))
    assert answer.status_code == 401
    assert quiet(world)


@pytest.mark.parametrize("header", ["X-Hub-Signature-256", "X-Gogs-Signature", "X-Forgejo-Signature"])
def test_only_giteas_own_header_counts(world: World, client: FlaskClient, header: str) -> None:
    """Failure mode 60, provider-header confusion: right under another name is not right."""
    body = gitea.payload()
    sent = gitea.headers(body)
    del sent["X-Gitea-Signature"]
    sent[header] = gitea.sign(body)
    assert client.post("/webhook/gitea", data=body, headers=sent).status_code == 401
    assert quiet(world)


def test_no_secret_configured_refuses_everything(world: World, tmp_path) -> None:
    open_door = {"open": environment("open", tmp_path, secret="")}
    client = web.create(open_door, world.journal, TOKEN, "http://agent", dict).test_client()
    body = gitea.payload()
    for secret in ("", WEBHOOK_SECRET):
        assert deliver(client, body, X_Gitea_Signature=gitea.sign(body, secret)).status_code == 403
    assert open_door["open"].wakes == []


@pytest.mark.parametrize("content", [b"", b"\n", b"abc", b"\xff\xff\xff\xff\xff"])
def test_secret_file_that_holds_no_secret_refuses(world: World, tmp_path, content: bytes) -> None:
    """An empty file, one too short to be masked, one that is no text."""
    weak = environment("weak", tmp_path)
    (tmp_path / "weak-webhook-secret").write_bytes(content)
    client = web.create({"weak": weak}, world.journal, TOKEN, "http://agent", dict).test_client()
    body = gitea.payload()
    answer = deliver(client, body, X_Gitea_Signature=gitea.sign(body, content.strip().decode("latin-1")))
    assert answer.status_code == 403
    assert weak.wakes == []


def test_new_secret_counts_without_a_restart(world: World, client: FlaskClient, tmp_path) -> None:
    (tmp_path / "mini-cloud-webhook-secret").write_text("rotated-this-morning")
    assert deliver(client).status_code == 401
    assert deliver(client, secret="rotated-this-morning").status_code == 202
    assert world.main.wakes == ["webhook"]


def test_replayed_delivery_is_409_and_a_replay_from_giteas_page_is_not(world: World, client: FlaskClient) -> None:
    """The page's button makes a new id for the same payload: somebody wants it."""
    body = gitea.payload()
    assert deliver(client, body, delivery="one").status_code == 202
    again = deliver(client, body, delivery="one")
    assert again.status_code == 409
    assert again.json == {"queued": [], "reason": "this delivery was seen before"}
    assert deliver(client, body, delivery="two").status_code == 202
    assert world.main.wakes == ["webhook", "webhook"]


def test_unsigned_delivery_does_not_burn_its_id(world: World, client: FlaskClient) -> None:
    assert deliver(client, delivery="one", secret="wrong-secret").status_code == 401
    assert deliver(client, delivery="one").status_code == 202
    assert world.main.wakes == ["webhook"]


@pytest.mark.parametrize("delivery", ["", "x" * 65])
def test_delivery_without_a_usable_id_is_refused(world: World, client: FlaskClient, delivery: str) -> None:
    assert deliver(client, X_Gitea_Delivery=delivery).status_code == 400
    assert quiet(world)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "application/json5", ""])
def test_other_content_types_are_415(world: World, client: FlaskClient, kind: str) -> None:
    assert deliver(client, Content_Type=kind).status_code == 415
    assert quiet(world)


def test_body_of_more_than_a_mebibyte_is_413(world: World, client: FlaskClient) -> None:
    """Failure mode 60, the 10 MB body, signed or not."""
    answer = deliver(client, gitea.payload(padding="x" * (10 << 20)))
    assert answer.status_code == 413
    assert answer.json is not None
    assert answer.json["queued"] == []
    assert quiet(world)


def test_suspended_environment_is_not_rung(world: World, client: FlaskClient) -> None:
    world.main.suspend("for the move")
    answer = deliver(client)
    assert answer.status_code == 409
    assert answer.json is not None
    assert "mini-cloud is suspended" in answer.json["reason"]
    assert quiet(world)


def test_other_methods_are_405_with_a_reason(client: FlaskClient) -> None:
    answer = client.get("/webhook/gitea")
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}
    assert answer.json is not None
    assert set(answer.json) == {"queued", "reason"}


@pytest.mark.slow
def test_storm_of_unsigned_deliveries_turns_429_and_never_keeps_a_signed_one_out(world: World, client: FlaskClient) -> None:
    """Failure mode 60: 1,000 requests in a second; no work queued, and who signs rightly is served all the same."""
    began = time.monotonic()
    answers = [deliver(client, secret="wrong-secret") for _ in range(1000)]
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {401, 429}
    assert codes.count(401) <= 51 + 5 * (time.monotonic() - began)
    assert next(answer for answer in answers if answer.status_code == 429).headers["Retry-After"] == "1"
    assert quiet(world)
    assert deliver(client).status_code == 202


@pytest.mark.slow
def test_storm_of_signed_deliveries_turns_429(world: World, client: FlaskClient) -> None:
    codes = []

    def storm() -> None:
        mine = world.app.test_client()
        codes.extend(deliver(mine).status_code for _ in range(2000))

    threads = [threading.Thread(target=storm) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) == {202, 429}
    assert len(world.main.wakes) == codes.count(202) < 4000
