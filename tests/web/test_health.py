"""What programs that watch the agent are told."""

from __future__ import annotations

from flask.testing import FlaskClient

from gitops_agent import metrics
from tests.web import gitea
from tests.web.conftest import World


def test_alive_whatever_else_is_broken(world: World, client: FlaskClient) -> None:
    world.unready["journal"] = "the disk is full"
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"alive": True})


def test_ready_names_what_is_missing(world: World, client: FlaskClient) -> None:
    assert client.get("/readyz").json == {"ready": True, "reasons": {}}
    world.unready.update({"mini-cloud": "has not looked at its branch yet", "journal": "lost: the disk is full"})
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json) == (503, {"ready": False, "reasons": world.unready})


def test_metrics_are_prometheus_text_and_count_webhooks(client: FlaskClient, bearer: dict[str, str]) -> None:
    def counted(answer: str) -> float:
        return metrics.webhooks.labels(answer)._value.get()

    before = counted("202"), counted("401")
    body = gitea.payload()
    client.post("/webhook/gitea", data=body, headers=gitea.headers(body))
    client.post("/webhook/gitea", data=body, headers=gitea.headers(body, "wrong-secret"))
    assert (counted("202"), counted("401")) == (before[0] + 1, before[1] + 1)
    answer = client.get("/metrics", headers=bearer)
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert 'gitops_agent_webhook_requests_total{answer="202"}' in answer.text
