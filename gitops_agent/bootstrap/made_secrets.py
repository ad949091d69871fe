"""Secrets that chance makes: each name of secrets.yaml by its form, none ever made twice."""

from __future__ import annotations

import base64
import re
import secrets
import string
import uuid
from collections.abc import Callable, Mapping

from gitops_agent.bootstrap import keys
from gitops_agent.bootstrap.ground import Ground
from gitops_agent.bootstrap.step import Step
from gitops_agent.errors import InvalidRevision

_LETTERS = string.ascii_letters + string.digits
_ISSUED = "issued"
_PUBLIC = re.compile(r"public-of:([\w.-]+)")


def password() -> str:
    """40 letters and digits: 238 bits, and nothing that a shell, a URL or an INI file could mistake."""
    return "".join(secrets.choice(_LETTERS) for _ in range(40))


_FORMS: Mapping[str, Callable[[], str]] = {
    "password": password,
    "uuid": lambda: str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)),
    "base64url-32": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("="),
    "rsa": keys.rsa,
    "ssh": keys.ssh,
}


class MadeSecrets(Step):
    name = "secrets"

    def __init__(self, ground: Ground) -> None:
        self._files = ground.secrets
        self._forms = ground.blueprint.secrets

    def missing(self) -> str:
        names = self._names()
        return f"{len(names)} are not made yet" if names else ""

    def do(self) -> None:
        for name in self._names():
            form = self._forms[name]
            half = _PUBLIC.fullmatch(form)
            if half is None and form not in _FORMS:
                raise InvalidRevision(f"{name}: {form!r} is no form of a secret", file="secrets.yaml")
            self._files.write(name, keys.public(self._files.read(half[1])) if half else _FORMS[form]())

    def _names(self) -> list[str]:
        """Halves of others come last."""
        names = [name for name, form in self._forms.items() if form != _ISSUED and not self._files.has(name)]
        return sorted(names, key=lambda name: self._forms[name].startswith("public-of:"))
