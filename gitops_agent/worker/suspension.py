"""Whether an operator stopped the reconciling of an environment: a file, so that it survives restarts."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from gitops_agent.errors import Refused


class Suspension:
    """True while it lasts."""

    def __init__(self, environment: str, file: Path) -> None:
        self._environment = environment
        self._file = file

    def __bool__(self) -> bool:
        return self._file.exists()

    @property
    def why(self) -> str:
        with suppress(OSError):
            return f"suspended {self._file.read_text().strip()}"
        return "suspended"

    def begin(self, why: str) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(f"{why or 'by the operator'}\n")

    def end(self) -> None:
        self._file.unlink(missing_ok=True)

    def refuse(self) -> None:
        """Raises Refused while it lasts: what was asked for would not be done."""
        if self:
            raise Refused(f"{self._environment} is suspended ({self.why}); resume it first")
