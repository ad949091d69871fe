"""One webhook delivery of Gitea, checked and read: signature over the raw body first, everything else only after it.

Gitea sends GitHub's, Gogs' and Forgejo's headers along with its own; only its own count, or a signature that was not checked could
come in under another name. The payload is a doorbell: it says where to look, never what to do.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitops_agent.errors import Unavailable
from gitops_agent.gate import matches
from gitops_agent.secret import remember
from gitops_agent.settings import EnvironmentSettings
from gitops_agent.web.repository import full_name

if TYPE_CHECKING:
    from werkzeug.datastructures import Headers

_BRANCHES = "refs/heads/"
_LONGEST_ID = 64


class NothingQueued(Exception):
    """The delivery rings nothing; `reason` is for the people who look at the hook's deliveries in Gitea."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class Push:
    """`repository` is `owner/name` in lower case. `test` is a delivery sent by hand: nothing moved."""

    repository: str
    branch: str
    test: bool


@dataclass(frozen=True)
class Said:
    """Somebody said something on a commit of `repository`: a status with this context."""

    repository: str
    context: str


@dataclass(frozen=True)
class PullRequest:
    """Something happened to a pull request of `repository` for `branch`."""

    repository: str
    branch: str


def signers(environments: Mapping[str, EnvironmentSettings], headers: Headers, body: bytes) -> tuple[str, ...]:
    """The environments whose secret signed the body. Secrets are read anew each time: a new one needs no restart.

    Raises NothingQueued: 401 for a missing, empty or wrong signature, 403 where no environment has a secret.
    """
    signature = headers.get("X-Gitea-Signature", "").encode("latin-1", "replace")
    if not signature:
        raise NothingQueued(401, "not signed: X-Gitea-Signature is missing or empty; give the webhook its secret in Gitea")
    secrets = {name: value for name, settings in environments.items() if (value := _secret(settings))}
    if not secrets:
        raise NothingQueued(403, "no environment has a webhook secret: set webhook_secret_file in agent.toml")
    digests = {value: hmac.new(value, body, hashlib.sha256).hexdigest().encode() for value in set(secrets.values())}
    # No early end: the time taken does not tell which of several secrets was nearly right.
    right = [value for value, digest in digests.items() if hmac.compare_digest(digest, signature)]
    if not right:
        raise NothingQueued(401, "the signature does not match any environment's webhook secret")
    return tuple(name for name, value in secrets.items() if value in right)


def _secret(settings: EnvironmentSettings) -> bytes:
    """Empty where there is none, or none that can be used: an empty key would accept what anyone can sign."""
    if settings.webhook_secret_file is None:
        return b""
    try:
        value = settings.webhook_secret_file.read_bytes().strip()
        remember(value.decode())
    except (OSError, UnicodeDecodeError, Unavailable):
        return b""
    return value


def delivery_id(headers: Headers) -> str:
    """The id Gitea gives a delivery; pressing "replay" there gives a new one. Raises NothingQueued."""
    found = headers.get("X-Gitea-Delivery", "")
    if not 0 < len(found) <= _LONGEST_ID:
        raise NothingQueued(400, "X-Gitea-Delivery is missing or too long")
    return found


def read(headers: Headers, body: bytes) -> Push | Said | PullRequest:
    """What a signed delivery says. Raises NothingQueued: 400 for what is no Gitea payload, 422 for what rings nothing."""
    event = headers.get("X-Gitea-Event", "")
    if event not in ("push", "status", "pull_request"):
        raise NothingQueued(422, _why_ignored(event))
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise NothingQueued(400, "the body is not JSON; set the webhook's content type to application/json") from None
    if event == "status":
        return Said(_text(payload, "repository", "full_name").casefold(), _text(payload, "context"))
    if event == "pull_request":
        branch = _text(payload, "pull_request", "base", "ref")
        return PullRequest(_text(payload, "repository", "full_name").casefold(), branch)
    return _push(payload)


def _push(payload: Any) -> Push:
    ref, repository = _text(payload, "ref"), _text(payload, "repository", "full_name")
    before, after = _text(payload, "before"), _text(payload, "after")
    test = before == after
    if test and not ref.startswith("refs/"):
        ref = f"{_BRANCHES}{ref}"  # `POST …/hooks/ID/tests?ref=main` sends the ref as it was given (seen on 1.26.3)
    if not ref.startswith(_BRANCHES):
        raise NothingQueued(422, f"{ref[:100]!r} is no branch; only branches are followed")
    if not after.strip("0"):
        raise NothingQueued(422, f"branch {ref.removeprefix(_BRANCHES)[:100]!r} was deleted")
    return Push(repository.casefold(), ref.removeprefix(_BRANCHES), test=test)


def _why_ignored(event: str) -> str:
    if event == "create":
        return "event 'create' is ignored: the push event of the same branch rings"
    if event == "delete":
        return "event 'delete' is ignored: what was applied stays as it is"
    return (
        f"event {event[:40]!r} is ignored; only 'push', 'status' and 'pull_request' ring" if event else "X-Gitea-Event is missing"
    )


def _text(payload: Any, *path: str) -> str:
    for name in path:
        payload = payload.get(name) if isinstance(payload, dict) else None
    if not isinstance(payload, str):
        raise NothingQueued(400, f"the payload has no text {'.'.join(path)}")
    return payload


def followers(
    ring: Push | Said | PullRequest, environments: Mapping[str, EnvironmentSettings], signed: Collection[str]
) -> tuple[str, ...]:
    """The environments to wake: their secret signed, their source is the repository, their branch moved or the status is one that
    they wait for. Raises NothingQueued."""
    same = [name for name in signed if full_name(environments[name].source) == ring.repository]
    if not same:
        raise NothingQueued(404, f"no environment with this secret follows repository {ring.repository[:100]!r}")
    if isinstance(ring, Said):
        waiting = tuple(name for name in same if matches(ring.context, environments[name].requires))
        if not waiting:  # what the agent says itself comes back to it this way
            raise NothingQueued(422, f"no environment requires status {ring.context[:100]!r}")
        return waiting
    found = tuple(name for name in same if environments[name].branch == ring.branch)
    if not found:
        raise NothingQueued(422, f"no environment follows branch {ring.branch[:100]!r} of {ring.repository[:100]!r}")
    if isinstance(ring, PullRequest):
        found = tuple(name for name in found if environments[name].previews is not None)
        if not found:
            raise NothingQueued(422, f"no environment that follows branch {ring.branch[:100]!r} has previews")
    return found
