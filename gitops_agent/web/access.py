"""Who may see and do what: one token, as bearer for programs, as password of a sign-in form for people.

Deny by default: a route is open only when it is listed here. Sessions are signed with a key made from the token, so that a new
token ends them all; their cookie never leaves for another site's POST, and each form carries the session's own token besides.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Blueprint, Flask, abort, redirect, render_template, request, session, url_for
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import TooManyRequests, Unauthorized

from gitops_agent.errors import ConfigError
from gitops_agent.secret import remember
from gitops_agent.web.answers import for_programs
from gitops_agent.web.limit import Bucket

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

_log = logging.getLogger(__name__)

OPEN = frozenset({"webhook.gitea", "health.alive", "health.ready", "access.login", "static"})
"""Endpoints that need no token; the webhook has its signature."""
_SHORTEST = 16
_LASTS = timedelta(days=7)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def install(app: Flask, token: str, failures: Bucket, *, https: bool, metrics_token: str = "") -> None:
    """`metrics_token` opens /metrics and nothing else, where there is one. Raises ConfigError for a token that could be guessed."""
    for setting, value in (("token_file", token), ("metrics_token_file", metrics_token)):
        if len(value) < _SHORTEST and (value or setting == "token_file"):
            raise ConfigError(f"serve.{setting}: the token is shorter than {_SHORTEST} characters")
        if value:
            remember(value)
    app.secret_key = hmac.new(token.encode(), b"web session", hashlib.sha256).digest()
    app.config.update(
        PERMANENT_SESSION_LIFETIME=_LASTS,
        SESSION_COOKIE_NAME="gitops_agent",
        SESSION_COOKIE_HTTPONLY=True,
        # Lax, not Strict: the link in a commit status of Gitea opens the page of its run.
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=https,
    )
    app.register_blueprint(_routes(token, failures))
    app.before_request(lambda: _guard(token, metrics_token, failures))
    app.jinja_env.globals["csrf"] = lambda: session.get("csrf", "")


def _guard(token: str, metrics_token: str, failures: Bucket) -> ResponseReturnValue | None:
    if request.endpoint in OPEN or request.endpoint is None:  # None: there is no such route; saying so tells nothing
        return None
    if for_programs():
        others = [metrics_token] if metrics_token and request.endpoint == "health.show_metrics" else []
        _require_bearer([token, *others], failures)
        return None
    if "csrf" not in session:
        if request.method not in _SAFE:
            abort(401, "sign in first")
        return redirect(url_for("access.login", next=request.full_path.rstrip("?")), 303)
    if request.method not in _SAFE and not _same(request.form.get("csrf", ""), session["csrf"]):
        abort(403, "this form is not of your session; load the page again")
    return None


def _require_bearer(accepted: Sequence[str], failures: Bucket) -> None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and any(_same(given.strip(), token) for token in accepted):
        return
    _note(failures)
    raise Unauthorized("send the token as «Authorization: Bearer …»", www_authenticate=WWWAuthenticate("bearer"))


def _note(failures: Bucket) -> None:
    """Who has the token is never kept out; a storm of guesses is kept out of the log and answered 429."""
    if not failures.take():
        raise TooManyRequests("too many wrong tokens", retry_after=1)
    _log.warning("wrong or missing token", extra={"path": repr(request.path), "from": request.remote_addr})


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def _routes(token: str, failures: Bucket) -> Blueprint:
    routes = Blueprint("access", __name__)

    @routes.route("/login", methods=["GET", "POST"])
    def login() -> ResponseReturnValue:
        to = _inside(request.args.get("next", ""))
        if request.method == "GET":
            return redirect(to, 303) if "csrf" in session else render_template("login.html", wrong=False)
        if not _same(request.form.get("token", "").strip(), token):
            _note(failures)
            return render_template("login.html", wrong=True), 401
        session.clear()
        session.permanent = True
        session["csrf"] = secrets.token_urlsafe(24)
        return redirect(to, 303)

    @routes.post("/logout")
    def logout() -> ResponseReturnValue:
        session.clear()
        return redirect(url_for("access.login"), 303)

    return routes


def _inside(address: str) -> str:
    """The address if it is a path of ours, else the front page: a link must not lead from our sign-in to another site."""
    parts = urlsplit(address)
    ours = address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.netloc and address.isprintable()
    return address if ours else url_for("pages.environments")
