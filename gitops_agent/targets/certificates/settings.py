"""What agent.toml says of a certificates target."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from gitops_agent.file_target import FileTargetSettings


class CertificatesSettings(FileTargetSettings):
    """`kind = "certificates"`"""

    authority: Path
    """File with the certificate (PEM) of the authority that signs: mkcert's `rootCA.pem`, or one that the agent makes when the
    folder declares `authority` and neither this file nor `authority_key` exists. An intermediate's chain may follow in it."""
    authority_key: Path
    """File with its private key (PEM, without passphrase). One that the agent makes is 0600. It is never published."""
    provided: Path | None = None
    """Directory in which somebody else puts `NAME.pem` and `NAME-key.pem` for certificates with `provided: true`."""
    reload: tuple[str, ...] = ()
    """Command, as a list, that tells programs to read their certificates again, for those that no target looks after. Targets
    that read them name `directory` in their `reads`."""
    only: tuple[str, ...] = Field(default=("*",))
    """The only names that certificates may be for, with `*` for any text: `["*.mini.example.org"]`."""

    @field_validator("authority", "authority_key", "provided")
    @classmethod
    def _not_relative(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_absolute():
            raise ValueError("must be an absolute path")
        return path

    @field_validator("reads", "ignore")
    @classmethod
    def _without_meaning(cls, given: tuple[object, ...]) -> tuple[object, ...]:
        if given:
            raise ValueError(
                "means nothing here: programs that read certificates are other targets, and name `directory` in theirs"
            )
        return given
