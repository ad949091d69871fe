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

_RATE, _BURST = 5, 50
"""Wrong tokens and signatures a second, and at once, that are logged and answered in full."""


def create(
    environments: Mapping[str, Environment],
    journal: Runs,
    token: str,
    url: str,
    ready: Callable[[], Mapping[str, str]],
) -> Flask:
    """`token` is the bearer token of the API and the password of the pages, `url` where people reach the front page.

    Raises ConfigError for a token that could be guessed.
    """
    agent = Agent(environments, journal, url.rstrip("/"), ready)
    public = urlsplit(agent.url)
    app = Flask(__name__)
    app.config.update(
        APPLICATION_ROOT=public.path or "/",
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        MAX_FORM_MEMORY_SIZE=64 << 10,
        MAX_FORM_PARTS=32,
    )
    failures = Bucket(_RATE, _BURST)
    answers.install(app)
    app.jinja_env.globals["version"] = __version__
    access.install(app, token, failures, https=public.scheme == "https")
    for blueprint in (webhook.blueprint(agent, failures), api.blueprint(agent), pages.blueprint(agent), health.blueprint(agent)):
        app.register_blueprint(blueprint)
    return app
