"""`POST /webhook/gitea`: rings the environments that a push, a status they wait for or a pull request concerns, and
answers at once; 2xx only when something was queued.

Gitea delivers once, waits 5 s for the answer and shows it to people: so each refusal says why, and no work is done here.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify, request

from gitops_agent import metrics
from gitops_agent.web.agent import Agent
from gitops_agent.web.delivery import NothingQueued, PullRequest, Push, Said, delivery_id, followers, read, signers
from gitops_agent.web.limit import Bucket, Recent

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

_log = logging.getLogger(__name__)

_REMEMBERED = 10_000
"""Delivery ids kept: about 1 MiB at most, days of pushes."""
_UNSIGNED = frozenset({401, 403, 415})
"""Answers that anybody can bring about."""
_RATE, _BURST = 200, 1000
"""Signed deliveries a second, and at once: no Gitea of a small cloud sends as many, and each costs us a millisecond."""


def blueprint(agent: Agent, failures: Bucket) -> Blueprint:
    routes = Blueprint("webhook", __name__)
    settings = {name: environment.settings for name, environment in agent.environments.items()}
    accepted = Bucket(_RATE, _BURST)
    seen = Recent(_REMEMBERED)

    @routes.post("/webhook/gitea")
    def gitea() -> ResponseReturnValue:
        try:
            if request.mimetype != "application/json":
                raise NothingQueued(415, "the content type must be application/json; set it in Gitea's webhook")
            body = request.get_data(cache=False)
            signed = signers(settings, request.headers, body)
            if not accepted.take():
                raise NothingQueued(429, "too many deliveries; the next poll will find what they announced")
            delivery = delivery_id(request.headers)
            # After the signature, so that nobody else can fill the memory; by id alone, as a replay from Gitea's page is wanted.
            if not seen.add(delivery):
                raise NothingQueued(409, "this delivery was seen before")
            ring = read(request.headers, body)
            awake = _not_suspended(agent, followers(ring, settings, signed))
        except NothingQueued as refused:
            return _refuse(refused, failures)
        for name in awake:
            if isinstance(ring, PullRequest):
                agent.previews[name]()
            else:
                agent.environments[name].wake("status" if isinstance(ring, Said) else "webhook")
        reason = _reason(ring)
        _log.info("webhook", extra={"delivery": repr(delivery), "queued": ", ".join(awake), "what": reason})
        return jsonify({"queued": awake, "reason": reason}), 202

    @routes.after_request
    def count(response: Response) -> Response:
        metrics.webhooks.labels(str(response.status_code)).inc()
        return response

    return routes


def _reason(ring: Push | Said | PullRequest) -> str:
    if isinstance(ring, Push):
        return "test delivery" if ring.test else "push"
    return "status" if isinstance(ring, Said) else "pull request"


def _not_suspended(agent: Agent, names: tuple[str, ...]) -> list[str]:
    awake = [name for name in names if not agent.environments[name].status().suspended]
    if not awake:
        raise NothingQueued(409, f"{', '.join(names)} is suspended; it will look when it is resumed")
    return awake


def _refuse(refused: NothingQueued, failures: Bucket) -> ResponseReturnValue:
    answer = {"queued": [], "reason": refused.reason}
    unsigned = refused.status in _UNSIGNED
    # An empty bucket changes nothing for who signs rightly; it keeps a storm of others out of the log.
    if refused.status == 429 or (unsigned and not failures.take()):
        answer["reason"] = refused.reason if refused.status == 429 else "too many deliveries that are not signed rightly"
        return jsonify(answer), 429, {"Retry-After": "1"}
    _log.log(logging.WARNING if unsigned else logging.INFO, "webhook refused", extra={"reason": refused.reason})
    return jsonify(answer), refused.status
