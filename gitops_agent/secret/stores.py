"""Where values come from. Vault's resolver comes with the Vault target."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.secret.resolving import Resolver


def from_directory(directory: str | Path) -> Resolver:
    """Serves `file:NAME` from a directory with one value a file; line ends at its end do not count. Links are followed:
    Docker and Kubernetes mount secrets that way."""

    def lookup(reference: str) -> str:
        name = reference.removeprefix("file:")
        if not name or "/" in name or "\0" in name or name.startswith("."):
            raise InvalidRevision(f"secret {reference!r} names no file of the secrets directory")
        try:
            return (Path(directory) / name).read_bytes().decode().rstrip("\r\n")
        except FileNotFoundError:
            raise Unavailable(f"secret {reference!r} does not exist yet") from None
        except UnicodeDecodeError:
            raise Unavailable(f"secret {reference!r} is no UTF-8 text") from None
        except OSError as error:
            raise Unavailable(f"secret {reference!r} cannot be read: {error.strerror}") from None

    return lookup


def by_scheme(resolvers: Mapping[str, Resolver], default: Resolver | None = None) -> Resolver:
    """One resolver from several: `file:NAME` goes to `resolvers["file"]`, a reference without a known scheme to `default`."""

    def lookup(reference: str) -> str:
        scheme, colon, _ = reference.partition(":")
        resolver = resolvers.get(scheme, default) if colon else default
        if resolver is None:
            raise Unavailable(f"no secret store is configured for {reference!r}")
        return resolver(reference)

    return lookup
