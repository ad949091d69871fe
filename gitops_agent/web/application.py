"""The Flask application, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from flask import Flask

from gitops_agent import __version__
from gitops_agent.web import access, answers, api, health, pages, webhook
from gitops_agent.web.agent import Agent, Environment, Runs
from gitops_agent.web.limit import Bucket
from gitops_agent.web.server import LARGEST_BODY

_FORGIVEN = 5
"""Wrong tokens and signatures a second that are forgotten."""


def create(
    environments: Mapping[str, Environment],
    journal: Runs,
    token: str,
    url: str,
    ready: Callable[[], Mapping[str, str]],
    *,
    metrics_token: str = "",
    previews: Mapping[str, Callable[[], None]] | None = None,
    patience: int = 50,
) -> Flask:
    """`token` is the bearer token of the API and the password of the pages, `url` where people reach the front page,
    `metrics_token` one that opens /metrics only. `previews` rings those of an environment, by its name.

    `ready` names what is not ready yet, with the reason; empty means ready. `patience` is how many wrong tokens and signatures at
    once are answered and logged one by one before 429 takes their place.

    Raises ConfigError for a token that could be guessed.
    """
    agent = Agent(environments, journal, url.rstrip("/"), ready, previews or {})
    public = urlsplit(agent.url)
    app = Flask(__name__)
    app.config.update(
        APPLICATION_ROOT=public.path or "/",
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        MAX_FORM_MEMORY_SIZE=64 << 10,
        MAX_FORM_PARTS=32,
    )
    failures = Bucket(_FORGIVEN, patience)
    answers.install(app)
    app.jinja_env.globals["version"] = __version__
    access.install(app, token, failures, https=public.scheme == "https", metrics_token=metrics_token)
    for blueprint in (webhook.blueprint(agent, failures), api.blueprint(agent), pages.blueprint(agent), health.blueprint(agent)):
        app.register_blueprint(blueprint)
    return app
