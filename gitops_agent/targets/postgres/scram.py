"""SCRAM-SHA-256 verifiers, as PostgreSQL keeps them: what is sent instead of a password, and what one is compared with.

`SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>` (RFC 5803). A password with the salt and iterations that the server
already has gives the same verifier again, so an unchanged one writes nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re

_ITERATIONS = 4096
_METHOD = "SCRAM-SHA-256"
_PARAMETERS = re.compile(_METHOD + r"\$(\d+):([A-Za-z0-9+/=]+)")


def fresh(password: str) -> str:
    """A verifier with a salt of its own."""
    return _verifier(password, os.urandom(16), _ITERATIONS)


def with_parameters(password: str, parameters: str) -> str | None:
    """The verifier for a known `SCRAM-SHA-256$<iterations>:<salt>`; None where the server has no such password (none, or MD5)."""
    match = _PARAMETERS.fullmatch(parameters)
    return _verifier(password, base64.b64decode(match[2]), int(match[1])) if match else None


def is_plain(password: str) -> bool:
    """Whether it has printable ASCII characters only: others would have to be normalised first (SASLprep)."""
    return password.isascii() and password.isprintable() and bool(password)


def _verifier(password: str, salt: bytes, iterations: int) -> str:
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(_sign(salted, b"Client Key")).digest()
    return f"{_METHOD}${iterations}:{_text(salt)}${_text(stored)}:{_text(_sign(salted, b'Server Key'))}"


def _sign(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
