"""What could be better once a mini-cloud is taken over: changes that the operator chooses by name, never a side effect."""

from __future__ import annotations

from gitops_agent.adopt.migrations.directory_mounts import DirectoryMounts
from gitops_agent.adopt.migrations.migration import ConfigRepo, Migration, Proposal
from gitops_agent.adopt.migrations.pin_images import PinImages
from gitops_agent.adopt.migrations.token_per_consumer import TokenPerConsumer
from gitops_agent.errors import ConfigError
from gitops_agent.secret.files import write_secret

__all__ = ["MIGRATIONS", "ConfigRepo", "Migration", "Proposal", "carry_out", "migration"]

MIGRATIONS: tuple[Migration, ...] = (PinImages(), DirectoryMounts(), TokenPerConsumer())


def migration(name: str) -> Migration:
    """Raises ConfigError for one that does not exist."""
    for one in MIGRATIONS:
        if one.name == name:
            return one
    raise ConfigError(f"there is no migration {name!r}; there are {', '.join(one.name for one in MIGRATIONS)}")


def carry_out(repo: ConfigRepo, proposal: Proposal) -> None:
    """Writes what it says into the work tree; nothing is committed. Secrets first: no reference without a value."""
    for name, value in proposal.secrets.items():
        if not (repo.secrets / name).exists():
            write_secret(repo.secrets / name, value)
    for path, text in proposal.edits.items():
        (repo.path / path).parent.mkdir(parents=True, exist_ok=True)
        (repo.path / path).write_text(text)
    for path in proposal.removed:
        (repo.path / path).unlink(missing_ok=True)
