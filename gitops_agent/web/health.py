"""For programs that watch the agent: `/healthz`, `/readyz`, and `/metrics` (which needs the token)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify

from gitops_agent import metrics
from gitops_agent.secret import mask
from gitops_agent.web.agent import Agent

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue


def blueprint(agent: Agent) -> Blueprint:
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def alive() -> ResponseReturnValue:
        """The process answers. What it looks after may be as broken as it likes: restarting the agent mends none of that."""
        return jsonify({"alive": True})

    @routes.get("/readyz")
    def ready() -> ResponseReturnValue:
        reasons = dict(agent.ready())
        return jsonify({"ready": not reasons, "reasons": reasons}), 503 if reasons else 200

    @routes.get("/metrics")
    def show_metrics() -> ResponseReturnValue:
        return Response(mask(metrics.text()), content_type="text/plain; version=0.0.4; charset=utf-8")

    return routes
