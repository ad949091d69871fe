"""Gitea: it takes the agent's token, and its webhook arrives.

Gitea's API tells nothing of deliveries, and Gitea never repeats one; so where the running agent has seen none since its start,
Gitea is asked for a test delivery, and the agent's own count says whether it came.
"""

from __future__ import annotations

import re
import time
from contextlib import closing

from gitops_agent.api import Api
from gitops_agent.doctor import remaining
from gitops_agent.doctor.finding import Finding, Findings
from gitops_agent.errors import AgentError
from gitops_agent.gitea import Session, TokenRefused
from gitops_agent.settings.models import ServeSettings
from gitops_agent.targets.gitea.settings import GiteaSettings

_PATIENCE = 4.0
"""Seconds for a test delivery; with its default queues Gitea takes one."""
_BLOCKED = (
    "add the agent's host to ALLOWED_HOST_LIST of [webhook] in Gitea's app.ini (GITEA__webhook__ALLOWED_HOST_LIST); restart it"
)


def look(settings: GiteaSettings, serve: ServeSettings) -> Findings:
    with closing(Session(settings.address, settings.token_file, settings.ca_file, timeout=5)) as session:
        try:
            user = session.call("GET", "/user", "the user of the token").data["login"]
        except TokenRefused as error:
            remedy = f"make a new token in Gitea's settings of the bot, and put it into {settings.token_file}"
            yield Finding(settings.name, "bot token", False, str(error), remedy)
            return
        yield Finding(settings.name, "bot token", True, f"is accepted, as {user}")
        if settings.source:
            yield _webhook(session, settings, serve)


def _webhook(session: Session, settings: GiteaSettings, serve: ServeSettings) -> Finding:
    hooks = [hook for hook in session.rows(f"/repos/{settings.source}/hooks", settings.source) if hook["active"]]
    if not hooks:
        said = f"{settings.source} has none that is active: a push is noticed at the next poll"
        return Finding(settings.name, "webhook", False, said, "gitops-agent sync; the webhook is declared in gitea/")
    try:
        before = _arrived(serve)
    except AgentError:
        return Finding(settings.name, "webhook", True, "the agent does not run here: whether deliveries arrive is not known")
    if before:
        return Finding(settings.name, "webhook", True, f"{before:.0f} deliveries have arrived since the agent started")
    for hook in hooks:
        session.call("POST", f"/repos/{settings.source}/hooks/{hook['id']}/tests", "a test delivery", accept=(204,))
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if _arrived(serve):
            return Finding(settings.name, "webhook", True, "a test delivery has arrived")
        time.sleep(0.1)
    return Finding(settings.name, "webhook", False, "a test delivery did not arrive: Gitea may not send to that host", _BLOCKED)


def _arrived(serve: ServeSettings) -> float:
    host, _, port = serve.listen.rpartition(":")
    token = remaining.read(serve.metrics_token_file)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"http://{'127.0.0.1' if host in ('0.0.0.0', '[::]', '') else host}:{port}"  # noqa: S104 -- where it listens, not where we do
    with closing(Api("gitops-agent", url, headers=headers, timeout=2)) as api:
        metrics = api.call("GET", "/metrics").text
    counts = re.findall(r"^gitops_agent_webhook_requests_total\{.*\} (\S+)$", metrics, re.MULTILINE)
    return sum(float(count) for count in counts)
