"""How a Vault is reached and as whom: what the target's settings and the `[secrets.vault]` table have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class _Table(Protocol):
    """Settings that say it, whichever model they are of."""

    @property
    def address(self) -> str: ...
    @property
    def token_file(self) -> Path | None: ...
    @property
    def role_id(self) -> str: ...
    @property
    def secret_id_file(self) -> Path | None: ...
    @property
    def auth_path(self) -> str: ...
    @property
    def ca_file(self) -> Path | None: ...
    @property
    def timeout(self) -> float: ...


@dataclass(frozen=True)
class Access:
    """`timeout` in seconds, for one request. Either `token_file`, or `role_id` and `secret_id_file`, or nothing: no token then."""

    address: str
    token_file: Path | None = None
    role_id: str = ""
    secret_id_file: Path | None = None
    auth_path: str = "approle"
    ca_file: Path | None = None
    timeout: float = 60

    @classmethod
    def of(cls, table: _Table) -> Access:
        return cls(
            table.address.rstrip("/"),
            table.token_file,
            table.role_id,
            table.secret_id_file,
            table.auth_path,
            table.ca_file,
            table.timeout,
        )
