"""Certificates that somebody else makes: taken as they are, once they are seen to be of use."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path

from gitops_agent.errors import Unavailable
from gitops_agent.targets.certificates import condition
from gitops_agent.targets.certificates.declared import VALID

SOON = timedelta(days=30)
"""What the agent cannot renew is warned of this long before."""


class Provided:
    """`NAME.pem` and `NAME-key.pem` in a directory of the operator's."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def look(
        self, name: str, names: Collection[str], published: tuple[bytes | None, bytes | None], now: datetime
    ) -> tuple[str, str]:
        """State and warning. What is provided and cannot be used never replaces what can."""
        new = self._read(name)
        usable = not condition.provided(condition.look(*published), names, now)
        wrong = condition.provided(condition.look(*new), names, now)
        if wrong:
            return VALID if usable else "is of no use any more", f"what is provided for {name}: {wrong}"
        if new != published:
            return "another one is provided", ""
        pair = condition.look(*published).pair
        if pair is not None and pair.expires - now < SOON:
            return VALID, f"{name} expires {condition.in_words(pair.expires - now)}, and nobody has provided another"
        return VALID, ""

    def take(self, name: str, names: Collection[str], now: datetime) -> tuple[bytes, bytes]:
        """Certificate and key. Raises Unavailable for what is of no use."""
        certificate, key = self._read(name)
        wrong = condition.provided(condition.look(certificate, key), names, now)
        if wrong or certificate is None or key is None:
            raise Unavailable(f"certificates: what is provided for {name}: {wrong}")
        return certificate, key

    def _read(self, name: str) -> tuple[bytes | None, bytes | None]:
        if self._directory is None:
            raise Unavailable(f"certificates: agent.toml does not say where {name} is `provided`")
        return _content(self._directory / f"{name}.pem"), _content(self._directory / f"{name}-key.pem")


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(f"certificates: {path}: {error.strerror}") from None
