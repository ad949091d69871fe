"""Deliveries as Gitea sends them: its payload, indented as it does, and all the headers it adds for other providers' sake."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from typing import Any

from tests.web.world import WEBHOOK_SECRET

ZEROS = "0" * 40


def payload(ref: str = "refs/heads/main", repository: str = "ops/config", **changed: Any) -> bytes:
    """A push. The URLs are those of a server that is not ours: they must not matter."""
    content = {
        "ref": ref,
        "before": "1" * 40,
        "after": "2" * 40,
        "compare_url": "https://evil.example.com/compare",
        "commits": [{"id": "2" * 40, "message": "Serve the new front page", "url": "https://evil.example.com/x"}],
        "total_commits": 1,
        "repository": {"id": 1, "full_name": repository, "clone_url": "https://evil.example.com/ops/config.git"},
        "pusher": {"login": "ada"},
        **changed,
    }
    return json.dumps(content, indent=2).encode()


def sign(body: bytes, secret: str = WEBHOOK_SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def headers(
    body: bytes, secret: str = WEBHOOK_SECRET, *, event: str = "push", delivery: str = "", **changed: str
) -> dict[str, str]:
    """`services/webhook/deliver.go`, addDefaultHeaders."""
    delivery = delivery or str(uuid.uuid4())
    right = sign(body, secret) if secret else ""
    made = {
        "Content-Type": "application/json",
        "X-Gitea-Delivery": delivery,
        "X-Gitea-Event": event,
        "X-Gitea-Event-Type": event,
        "X-Gitea-Signature": right,
        "X-Gogs-Delivery": delivery,
        "X-Gogs-Event": event,
        "X-Gogs-Signature": right,
        "X-Hub-Signature": "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest(),
        "X-Hub-Signature-256": f"sha256={right}",
        "X-GitHub-Delivery": delivery,
        "X-GitHub-Event": event,
    }
    return {**made, **{name.replace("_", "-"): value for name, value in changed.items()}}
