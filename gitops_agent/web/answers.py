"""The choke points of what leaves: every text masked, every error in the caller's language, safety headers on each answer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, jsonify, render_template, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException

from gitops_agent.errors import AgentError, Unavailable
from gitops_agent.secret import mask

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

_log = logging.getLogger(__name__)

_HEADERS = {
    # No inline script or style anywhere, nothing from elsewhere, no frames: text that slips through as HTML does nothing.
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def masked(value: Any) -> Any:
    """`value` with every text in it masked, names of mappings included."""
    if isinstance(value, str):
        # What Jinja made itself is markup of texts that were masked before they were escaped.
        return value if hasattr(value, "__html__") else mask(value)
    if isinstance(value, Mapping):
        return {masked(name): masked(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return value


class _Json(DefaultJSONProvider):
    """Masks before it escapes: a secret with quotes in it would look different afterwards."""

    sort_keys = False

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return super().dumps(masked(obj), **kwargs)


def install(app: Flask) -> None:
    app.json = _Json(app)
    # `finalize` sees every expression of every template before it is escaped.
    app.jinja_options = {"finalize": masked, "trim_blocks": True, "lstrip_blocks": True}
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(AgentError, _agent_error)
    app.register_error_handler(Exception, _bug)
    app.after_request(_finish)


def for_programs() -> bool:
    """Whether the caller is a program and gets JSON, or a person with a browser."""
    return request.path.startswith(("/api/", "/webhook/", "/metrics", "/healthz", "/readyz"))


def error(status: int, message: str) -> Response:
    """An error as JSON or as a page; of the webhook with its `reason`."""
    if not for_programs():
        response = Response(render_template("error.html", status=status, message=message), mimetype="text/html")
    elif request.path.startswith("/webhook/"):
        response = jsonify({"queued": [], "reason": message})
    else:
        response = jsonify({"error": message})
    response.status_code = status
    return response


def _http_error(raised: HTTPException) -> ResponseReturnValue:
    if raised.code is None or raised.code < 400:  # a redirect that the router raised
        return raised
    response = error(raised.code, raised.description or raised.name)
    original = raised.get_response()
    for name in ("Allow", "Retry-After", "WWW-Authenticate"):
        if name in original.headers:
            response.headers[name] = original.headers[name]
    return response


def _agent_error(raised: AgentError) -> ResponseReturnValue:
    """Unavailable passes by itself; anything else is the state the caller met: suspended, nothing to consent to …"""
    return error(503 if isinstance(raised, Unavailable) else 409, str(raised))


def _bug(raised: Exception) -> ResponseReturnValue:
    _log.error("request failed", exc_info=raised, extra={"method": request.method, "path": repr(request.path)})
    return error(500, "the agent made a mistake; its log says more")


def _finish(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint == "static":
        response.headers["Cache-Control"] = "public, max-age=86400"
    else:
        response.headers["Cache-Control"] = "no-store"
    return response
