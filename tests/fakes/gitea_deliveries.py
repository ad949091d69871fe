"""Deliveries of a fake Gitea's webhooks: one attempt, to allowed hosts only, and nobody is told what became of it."""

from __future__ import annotations

import hmac
import json
import socket
import threading
import uuid
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

import requests

from tests.fakes.gitea_api import Asked
from tests.fakes.gitea_state import Json, Reply

_DELAY = 0.2


def deliver_test(asked: Asked) -> Reply:
    """`POST …/hooks/{id}/tests`: a push with before == after."""
    hook = next((hook for hook in asked.repository.hooks if str(hook["id"]) == asked.parts[0]), None)
    if hook is None:
        return asked.problem(404, "not found", errors=None)
    threading.Timer(_DELAY, _deliver, (asked.repository.name, hook, asked.allowed_hosts)).start()
    return Reply(204)


def _deliver(repository: str, hook: dict[str, Json], allowed: str) -> None:
    address = str(hook["config"]["url"])
    host = ip_address(socket.gethostbyname(urlsplit(address).hostname or ""))
    kinds = {"loopback": host.is_loopback, "private": host.is_private and not host.is_loopback, "external": host.is_global}
    if not any(kinds.get(kind, kind == "*") for kind in allowed.split(",")):
        return
    sha = "c" * 40
    pushed = {"ref": "refs/heads/main", "before": sha, "after": sha, "repository": {"full_name": repository}}
    body = json.dumps(pushed, indent=2).encode()
    signature = hmac.new(str(hook["config"].get("secret", "")).encode(), body, "sha256").hexdigest()
    headers = {"Content-Type": "application/json", "X-Gitea-Event": "push", "X-Gitea-Signature": signature}
    with suppress(OSError):
        requests.post(address, body, headers={**headers, "X-Gitea-Delivery": str(uuid.uuid4())}, timeout=5)


ROUTES = (("POST", r"/hooks/([0-9]+)/tests", deliver_test),)
