"""Whose commits count: every new one must carry a signature, by SSH or GPG, of somebody the operator has named.

git's own verification decides. It sees the operator's files alone: no keyring and no configuration of whoever started the agent,
no agent process, no key server.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gitops_agent import process
from gitops_agent.errors import CommandFailed, InvalidRevision, Unavailable
from gitops_agent.model import Revision
from gitops_agent.source.command import Git, reason

_GPG = "no-autostart\ntrust-model always\nno-auto-key-retrieve\nno-auto-key-locate\n"
"""All keys that are here were put here by the operator: there is nobody else to trust."""
_AT_ONCE = 200
"""Commits for one git, which takes some 15 ms for each and has a time limit."""
_SSH_KEY = re.compile(r"signature with (\S+ key SHA256:\S+)")
_GPG_STATUS = re.compile(r"^\[GNUPG:\] (NO_PUBKEY|EXPKEYSIG|REVKEYSIG|EXPSIG|BADSIG) (\S+)", re.MULTILINE)
_GPG_WORDS = {
    "NO_PUBKEY": "is signed with GPG key {}, which is not among the signers' keys",
    "EXPKEYSIG": "is signed with GPG key {}, which has expired",
    "REVKEYSIG": "is signed with GPG key {}, which was revoked",
    "EXPSIG": "has a signature of GPG key {} that has expired",
    "BADSIG": "has a signature of GPG key {} that is not of this commit",
}


@dataclass(frozen=True)
class Signers:
    """`allowed` is a file as in ssh-keygen(1), ALLOWED SIGNERS; `keys` a directory of public GPG keys. `every`: all commits since
    the applied one count, not the newest alone."""

    allowed: Path | None = None
    keys: Path | None = None
    every: bool = True


class Signatures:
    """The check of one environment. `directory` is its own; the keyring is made there, anew when a key file changes."""

    def __init__(self, git: Git, directory: Path, signers: Signers) -> None:
        self._git = git
        self._directory = directory.absolute()
        self._signers = signers

    def check(self, repository: Path, revision: Revision, applied: Revision | None) -> None:
        """Raises InvalidRevision that names the first commit which nobody allowed has signed, Unavailable when the operator's files
        cannot be read or the programs are missing."""
        if applied is not None and applied.sha == revision.sha:
            return
        options, environment = self._options()
        commits = [revision.sha]
        if self._signers.every and applied is not None:
            try:
                listed = self._git("rev-list", "--reverse", f"{applied.sha}..{revision.sha}", at=repository).text.split()
            except CommandFailed as error:
                raise Unavailable(f"commits before {revision} cannot be listed: {reason(error, self._git.remote)}") from None
            commits = listed or commits

        def verify(*shas: str) -> process.Completed:
            try:
                done = self._git(*options, "verify-commit", "--raw", *shas, at=repository, accept=(0, 1), env=environment)
            except CommandFailed as error:
                raise Unavailable(f"signatures cannot be checked: {reason(error, self._git.remote)}") from None
            return done

        for at in range(0, len(commits), _AT_ONCE):
            some = commits[at : at + _AT_ONCE]
            if verify(*some).status == 0:
                continue
            for sha in some:
                if (done := verify(sha)).status:
                    which = f"commit {sha[:10]}" if sha == revision.sha else f"commit {sha[:10]}, which came with it,"
                    raise InvalidRevision(f"{which} {_why(done.stderr)}")

    def _options(self) -> tuple[list[str], dict[str, str]]:
        allowed = self._signers.allowed
        if allowed is not None and not os.access(allowed, os.R_OK):
            raise Unavailable(f"allowed_signers {allowed} cannot be read")
        known = allowed.absolute() if allowed is not None else os.devnull
        settings = {
            "gpg.ssh.allowedSignersFile": known,
            "gpg.minTrustLevel": "undefined",
            "gpg.x509.program": "false",  # gpgsm would start services and ask the network for what a stranger's commit names
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return options, {"GNUPGHOME": str(self._keyring())}

    def _keyring(self) -> Path:
        """Named after its content: what was made of other keys is no use, and a half-made one is never found."""
        try:
            files = sorted(path for path in self._signers.keys.iterdir() if path.is_file()) if self._signers.keys else []
            contents = [path.read_bytes() for path in files]
        except OSError as error:
            raise Unavailable(f"signer_keys {self._signers.keys}: {error.strerror}") from None
        digest = hashlib.sha256(b"\0".join(hashlib.sha256(content).digest() for content in contents)).hexdigest()[:16]
        ring = self._directory / f"keyring-{digest}"
        if ring.exists():
            return ring
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in self._directory.glob("keyring-*"):
            shutil.rmtree(old, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix="keyring-", dir=self._directory))
        (fresh / "gpg.conf").write_text(_GPG)
        if files:
            (fresh / "pubring.kbx").write_bytes(self._imported(files))
        with suppress(OSError):  # somebody who only plans was faster
            fresh.rename(ring)
        return ring

    def _imported(self, files: Sequence[Path]) -> bytes:
        """In a directory with a short name: gpg refuses to import where the path of its agent's socket, which it does not need,
        would be longer than 107 bytes."""
        with tempfile.TemporaryDirectory(prefix="gpg-") as home:
            (Path(home) / "gpg.conf").write_text(_GPG)
            command: list[str | Path] = ["gpg", "--homedir", home, "--batch", "--quiet", "--import"]
            try:
                process.run([*command, *(path.absolute() for path in files)], timeout=self._git.remote.timeout, session=False)
                return (Path(home) / "pubring.kbx").read_bytes()
            except CommandFailed as error:
                said = [line for line in error.output.splitlines() if "no gpg-agent" not in line]
                raise Unavailable(f"signer_keys {self._signers.keys}: {said[0] if said else error}") from None


def _why(said: str) -> str:
    """In words, from what git and the program behind it print."""
    if not said.strip():
        return "is not signed"
    if gpg := _GPG_STATUS.search(said):
        return _GPG_WORDS[gpg[1]].format(gpg[2])
    if key := _SSH_KEY.search(said):
        return f"is signed with {key[1]}, which is not among the allowed signers"
    return "has a signature that is not good"
