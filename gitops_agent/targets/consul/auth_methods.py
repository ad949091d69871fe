"""ACL auth methods: `auth-methods.yaml`. `config` holds Consul's own names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from gitops_agent import secret
from gitops_agent.declared import Declaration, declared
from gitops_agent.errors import ApplyFailed, Unavailable
from gitops_agent.model import Change, Files, Resource
from gitops_agent.targets.consul import likeness
from gitops_agent.targets.consul.acl import AclType, Object

SECRET = ("ServiceAccountJWT", "OIDCClientSecret")
"""What Consul tells everybody who may read the method."""
_NUMBERS = ("ExpirationLeeway", "NotBeforeLeeway", "ClockSkewLeeway")
"""Durations that Consul takes as nanoseconds only."""
_UNREACHABLE = ("dial tcp", "no such host", "timeout", "deadline exceeded")


class _AuthMethod(Declaration):
    type: Literal["kubernetes", "jwt", "oidc", "aws-iam"]
    display_name: str = ""
    description: str = ""
    max_token_ttl: str = "0s"  # noqa: S105 -- a duration
    token_locality: Literal["local", "global"] = "local"  # noqa: S105 -- a word
    config: dict[str, Any] = Field(default_factory=dict)

    @field_validator("max_token_ttl")
    @classmethod
    def _duration(cls, text: str) -> str:
        if (nanoseconds := likeness.nanoseconds(text)) is None:
            raise ValueError("is no duration, such as 30m")
        return likeness.go_duration(nanoseconds)


class AuthMethods(AclType):
    label: ClassVar = "auth-method"
    files: ClassVar[re.Pattern[str]] = re.compile(r"auth-methods(-[^/]+)?\.ya?ml")
    example: ClassVar = "auth-methods.yaml"
    collection: ClassVar = "auth-methods"
    item: ClassVar = "auth-method"
    identity: ClassVar = "Name"
    whole_in_list: ClassVar = False

    def parse(self, files: Files) -> Iterator[Resource]:
        for one in declared(files, _AuthMethod, re.compile(r"[A-Za-z0-9_-]{1,128}")):
            spec = one.value.model_dump()
            yield Resource(f"auth-method:{one.name}", {**spec, "config": likeness.durations(spec["config"])}, origin=one.origin)

    def put(self, change: Change) -> None:
        """Consul asks the issuer for its keys first: one that cannot be reached is nobody's mistake."""
        try:
            super().put(change)
        except ApplyFailed as error:
            if any(sign in str(error) for sign in _UNREACHABLE):
                raise Unavailable(str(error)) from None
            raise

    def _spec(self, found: Object, wanted: Resource | None) -> Mapping[str, Any]:
        for field in SECRET:
            if len(value := str(found["Config"].get(field) or "")) > 8:
                secret.remember(value)
        spec = {
            "type": found["Type"],
            "display_name": found.get("DisplayName") or "",
            "description": found.get("Description") or "",
            "max_token_ttl": found.get("MaxTokenTTL") or "0s",
            "token_locality": found.get("TokenLocality") or "local",
            "config": likeness.durations(found.get("Config") or {}),
        }
        if wanted is None:
            return spec
        echoed: dict[str, Any] = likeness.echo(wanted.spec, spec, {})
        return echoed

    def _body(self, resource: Resource, live: Object | None) -> Object:  # noqa: ARG002
        spec = resource.spec
        config = {
            name: likeness.nanoseconds(value) or value if name in _NUMBERS else value for name, value in spec["config"].items()
        }
        return {
            "Name": resource.name.removeprefix("auth-method:"),
            "Type": spec["type"],
            "DisplayName": spec["display_name"],
            "Description": spec["description"],
            "MaxTokenTTL": spec["max_token_ttl"],
            "TokenLocality": spec["token_locality"],
            "Config": config,
        }
