"""Gitea: it takes the agent's token, serves images, and its webhook arrives.

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
from gitops_agent.doctor.stack import Stack
from gitops_agent.errors import AgentError
from gitops_agent.gitea import Session, TokenRefused
from gitops_agent.settings import AgentSettings
from gitops_agent.targets.gitea.settings import GiteaSettings

_PATIENCE = 4.0
"""Seconds for a test delivery; with its default queues Gitea takes one."""


def look(settings: GiteaSettings, agent: AgentSettings, stack: Stack) -> Findings:
    with closing(Session(settings.address, settings.token_file, settings.ca_file, timeout=5)) as session:
        try:
            user = session.call("GET", "/user", "the user of the token").data["login"]
        except TokenRefused as error:
            make = "gitea admin user generate-access-token --username gitops-agent --token-name agent-2 --scopes all --raw"
            remedy = f"gitops-agent bootstrap, or {stack.inside('gitea', make)} >{settings.token_file}"
            yield Finding(settings.name, "bot token", False, str(error), remedy)
            return
        yield Finding(settings.name, "bot token", True, f"is accepted, as {user}, and never expires")
        if settings.source:
            yield _webhook(session, settings, agent, stack)
    yield _registry(settings)


def _webhook(session: Session, settings: GiteaSettings, agent: AgentSettings, stack: Stack) -> Finding:
    hooks = [hook for hook in session.rows(f"/repos/{settings.source}/hooks", settings.source) if hook["active"]]
    if not hooks:
        said = f"{settings.source} has none that is active: a push is noticed at the next poll"
        return Finding(settings.name, "webhook", False, said, f"gitops-agent sync: {settings.folder}/webhooks.yaml declares it")
    try:
        before = _arrived(agent)
    except AgentError as error:
        return Finding(settings.name, "webhook", True, f"whether deliveries arrive is not known: {error}")
    if before:
        return Finding(settings.name, "webhook", True, f"{before:.0f} deliveries have arrived since the agent started")
    for hook in hooks:
        session.call("POST", f"/repos/{settings.source}/hooks/{hook['id']}/tests", "a test delivery", accept=(204,))
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if _arrived(agent):
            return Finding(settings.name, "webhook", True, "a test delivery has arrived")
        time.sleep(0.1)
    said = "a test delivery did not arrive: Gitea may not send to that host; pushes are noticed at the next poll"
    host = re.sub(r"^\w+://([^/:]+).*", r"\1", hooks[0]["config"]["url"])
    remedy = f"add {host} to GITEA__webhook__ALLOWED_HOST_LIST (from 1.27 on GITEA__security__…); {stack.logs('gitea')}"
    return Finding(settings.name, "webhook", False, said, remedy)


def _arrived(agent: AgentSettings) -> float:
    """Deliveries since the agent started. Raises Unavailable where it does not run here."""
    files = (agent.serve.metrics_token_file, agent.serve.token_file, agent.state / "token")
    token = next(filter(None, map(remaining.read, files)), "")
    with closing(Api("gitops-agent", agent.serve.reachable, headers={"Authorization": f"Bearer {token}"}, timeout=2)) as api:
        metrics = api.call("GET", "/metrics").text
    counts = re.findall(r"^gitops_agent_webhook_requests_total\{.*\} (\S+)$", metrics, re.MULTILINE)
    return sum(float(count) for count in counts)


def _registry(settings: GiteaSettings) -> Finding:
    """Workers pull from it; without a token it asks for one."""
    with closing(Api("gitea", settings.address, timeout=5, ca_file=settings.ca_file)) as api:
        status = api.call("GET", "/v2/", accept=(401, 403, 404)).status
    well = status in (200, 401)
    said = "serves images" if well else "serves no images: packages are off"
    return Finding(
        settings.name, "image registry", well, said, "" if well else "GITEA__packages__ENABLED=true in compose/compose.yaml.j2"
    )
