"""Deliveries of a fake Gitea's webhooks: one attempt, to allowed hosts only, and nobody is told what became of it."""

from __future__ import annotations

import hmac
import json
import socket
import threading
import urllib.error
import urllib.request
import uuid
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from tests.fakes.gitea_api import Asked
from tests.fakes.gitea_state import Json, Reply

_DELAY = 0.2


def deliver_test(asked: Asked) -> Reply:
    """`POST …/hooks/{id}/tests`: a push with before == after."""
    hook = next((hook for hook in asked.repository.hooks if str(hook["id"]) == asked.parts[0]), None)
    if hook is None:
        return asked.problem(404, "not found", errors=None)
    sha = "c" * 40
    threading.Timer(_DELAY, deliver, (asked.repository.name, hook, asked.allowed_hosts, sha, sha)).start()
    return Reply(204)


def deliver(repository: str, hook: dict[str, Json], allowed: str, before: str, after: str) -> None:
    """A push to main."""
    address = str(hook["config"]["url"])
    with suppress(OSError):
        host = ip_address(socket.gethostbyname(urlsplit(address).hostname or ""))
        kinds = {"loopback": host.is_loopback, "private": host.is_private and not host.is_loopback, "external": host.is_global}
        if not any(kinds.get(kind, kind == "*") for kind in allowed.split(",")):
            return
        pushed = {"ref": "refs/heads/main", "before": before, "after": after, "repository": {"full_name": repository}}
        body = json.dumps(pushed, indent=2).encode()
        signature = hmac.new(str(hook["config"].get("secret", "")).encode(), body, "sha256").hexdigest()
        headers = {"Content-Type": "application/json", "X-Gitea-Event": "push", "X-Gitea-Signature": signature}
        request = urllib.request.Request(address, body, {**headers, "X-Gitea-Delivery": str(uuid.uuid4())})
        try:
            urllib.request.urlopen(request, timeout=5).close()
        except urllib.error.HTTPError as refusal:
            refusal.close()


ROUTES = (("POST", r"/hooks/([0-9]+)/tests", deliver_test),)
