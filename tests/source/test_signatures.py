"""Whose commits count: real git, ssh-keygen and gpg, each signature made as people make it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.source import Remote, Signers, Source
from tests.gitserver import Author, git


class Keys:
    """Makes keys and signs with them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = directory / "gnupg"
        self.home.mkdir(mode=0o700)
        self.public = directory / "public"
        self.public.mkdir()
        self.allowed = directory / "allowed_signers"
        self.allowed.touch()

    def ssh(self, name: str, *, allowed: bool = True) -> tuple[str, ...]:
        """Options of `git commit` that sign with a new key."""
        key = self.directory / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key], check=True)
        if allowed:
            public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
            with self.allowed.open("a") as file:
                file.write(f'{name}@example.org namespaces="git" {public}\n')
        return "-c", "gpg.format=ssh", "-c", f"user.signingkey={key}"

    def gpg(self, name: str, *, allowed: bool = True) -> tuple[str, ...]:
        user = f"{name} <{name}@example.org>"
        self._gpg("--passphrase", "", "--quick-gen-key", user, "ed25519", "sign", "never")
        if allowed:
            (self.public / f"{name}.asc").write_bytes(self._gpg("--armor", "--export", f"{name}@example.org"))
        return "-c", f"user.signingkey={name}@example.org"

    def revoke(self, name: str) -> None:
        listed = self._gpg("--with-colons", "--list-keys", f"{name}@example.org").decode()
        fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))
        made = (self.home / f"openpgp-revocs.d/{fingerprint}.rev").read_text().replace(":-----BEGIN", "-----BEGIN")
        self._gpg("--import", stdin=made.encode())
        (self.public / f"{name}.asc").write_bytes(self._gpg("--armor", "--export", f"{name}@example.org"))

    def close(self) -> None:
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], check=True)

    def _gpg(self, *arguments: str, stdin: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", *arguments]
        return subprocess.run(command, input=stdin, check=True, capture_output=True).stdout


@pytest.fixture
def keys(public_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keys]:
    """In a directory with a short name: gpg-agent's socket lies there."""
    made = Keys(public_path)
    monkeypatch.setenv("GNUPGHOME", str(made.home))
    yield made
    made.close()


@pytest.fixture
def people(tmp_path: Path) -> Author:
    return Author(tmp_path / "people", tmp_path / "config.git")


def commit(people: Author, *signing: str, message: str = "change") -> str:
    """Signed with the options of `Keys`, or not at all."""
    options = ("--gpg-sign",) if signing else ("--no-gpg-sign",)
    git(*signing, "commit", "--quiet", "--allow-empty", *options, "-m", message, at=people.clone)
    git("push", "--quiet", "--force", "origin", "HEAD:refs/heads/main", at=people.clone)
    return git("rev-parse", "HEAD", at=people.clone)


class Followed:
    def __init__(self, people: Author, directory: Path, signers: Signers) -> None:
        self.source = Source(Remote(str(people.remote)), directory, "e", signers)

    def take(self) -> None:
        """What a run does with its revision."""
        revision = self.source.fetch()
        self.source.verify(revision)
        self.source.mark_applied(revision)


@pytest.fixture
def followed(people: Author, keys: Keys, tmp_path: Path) -> Iterator[Followed]:
    made = Followed(people, tmp_path / "state", Signers(keys.allowed, keys.public))
    yield made
    made.source.close()


@pytest.mark.parametrize("kind", ["ssh", "gpg"])
def test_who_is_named_may_and_who_is_not_may_not(people: Author, keys: Keys, followed: Followed, kind: str) -> None:
    ann = getattr(keys, kind)("ann")
    eve = getattr(keys, kind)("eve", allowed=False)
    commit(people, *ann)
    followed.take()
    sha = commit(people, *eve)
    who = (
        "signed with ED25519 key SHA256:.* allowed signers"
        if kind == "ssh"
        else "signed with GPG key [0-9A-F]{16}, .* signers' keys"
    )
    with pytest.raises(InvalidRevision, match=f"commit {sha[:10]} is {who}"):
        followed.take()


def test_what_is_not_signed_does_not_count(people: Author, keys: Keys, followed: Followed) -> None:
    sha = commit(people)
    with pytest.raises(InvalidRevision, match=f"commit {sha[:10]} is not signed"):
        followed.take()


def test_a_signature_does_not_cover_what_was_slipped_in_below_it(people: Author, keys: Keys, followed: Followed) -> None:
    ann = keys.ssh("ann")
    commit(people, *ann)
    followed.take()
    slipped = commit(people)
    commit(people, *ann)
    with pytest.raises(InvalidRevision, match=f"commit {slipped[:10]}, which came with it, is not signed"):
        followed.take()


def test_nor_what_came_with_a_merge(people: Author, keys: Keys, followed: Followed) -> None:
    ann = keys.ssh("ann")
    commit(people, *ann)
    followed.take()
    git("checkout", "--quiet", "-b", "other", at=people.clone)
    slipped = commit(people)
    git("checkout", "--quiet", "main", at=people.clone)
    git(*ann, "merge", "--quiet", "--no-ff", "--gpg-sign", "-m", "merge", "other", at=people.clone)
    commit(people, *ann)
    with pytest.raises(InvalidRevision, match=slipped[:10]):
        followed.take()


def test_with_head_whoever_signs_the_newest_vouches_for_the_whole(people: Author, keys: Keys, tmp_path: Path) -> None:
    ann = keys.ssh("ann")
    followed = Followed(people, tmp_path / "state", Signers(keys.allowed, None, every=False))
    commit(people, *ann)
    followed.take()
    commit(people)
    commit(people, *ann)
    followed.take()
    followed.source.close()


def test_what_was_applied_is_not_asked_about_again_but_a_step_back_is(people: Author, keys: Keys, followed: Followed) -> None:
    ann = keys.ssh("ann")
    commit(people, *ann)
    followed.take()
    first = git("rev-parse", "HEAD", at=people.clone)
    commit(people, *ann)
    followed.take()
    keys.allowed.write_text("")
    followed.take()
    git("push", "--quiet", "--force", "origin", f"{first}:refs/heads/main", at=people.clone)
    with pytest.raises(InvalidRevision, match=first[:10]):
        followed.take()


def test_a_key_may_be_given_and_taken_while_the_agent_runs(people: Author, keys: Keys, followed: Followed) -> None:
    bob = keys.gpg("bob", allowed=False)
    commit(people, *bob)
    with pytest.raises(InvalidRevision):
        followed.take()
    (keys.public / "bob.asc").write_bytes(keys._gpg("--export", "bob@example.org"))
    followed.take()
    (keys.public / "bob.asc").unlink()
    commit(people, *bob)
    with pytest.raises(InvalidRevision):
        followed.take()


def test_a_revoked_key_signs_nothing(people: Author, keys: Keys, followed: Followed) -> None:
    bob = keys.gpg("bob")
    commit(people, *bob)
    keys.revoke("bob")
    with pytest.raises(InvalidRevision, match="revoked"):
        followed.take()


def test_a_tampered_commit_is_found_out(people: Author, keys: Keys, followed: Followed) -> None:
    sha = commit(people, *keys.ssh("ann"))
    text = git("cat-file", "commit", sha, at=people.clone).replace("change", "something else")
    forged = git("hash-object", "-t", "commit", "-w", "--stdin", at=people.clone, stdin=f"{text}\n".encode())
    git("push", "--quiet", "--force", "origin", f"{forged}:refs/heads/main", at=people.clone)
    with pytest.raises(InvalidRevision, match="signature"):
        followed.take()


def test_keys_of_whoever_started_the_agent_do_not_count(people: Author, keys: Keys, tmp_path: Path) -> None:
    """The keyring of the test itself has bob's key, and GNUPGHOME names it."""
    bob = keys.gpg("bob", allowed=False)
    assert os.environ["GNUPGHOME"] == str(keys.home)
    followed = Followed(people, tmp_path / "state", Signers(keys.allowed, None))
    commit(people, *bob)
    with pytest.raises(InvalidRevision, match="GPG key"):
        followed.take()
    followed.source.close()


def test_an_operators_file_that_is_away_blames_nobody(people: Author, keys: Keys, followed: Followed) -> None:
    commit(people, *keys.ssh("ann"))
    keys.allowed.unlink()
    with pytest.raises(Unavailable, match="allowed_signers"):
        followed.take()
    keys.allowed.touch()
    shutil.rmtree(keys.public)
    with pytest.raises(Unavailable, match="signer_keys"):
        followed.take()


def test_a_signature_of_another_kind_starts_no_service(people: Author, keys: Keys, followed: Followed) -> None:
    sha = commit(people)
    text = git("cat-file", "commit", sha, at=people.clone)
    signature = "gpgsig -----BEGIN SIGNED MESSAGE-----\n AAAA\n -----END SIGNED MESSAGE-----\n"
    forged = text.replace("\n\n", f"\n{signature}\n", 1)
    made = git("hash-object", "-t", "commit", "-w", "--stdin", at=people.clone, stdin=f"{forged}\n".encode())
    git("push", "--quiet", "--force", "origin", f"{made}:refs/heads/main", at=people.clone)
    with pytest.raises(InvalidRevision, match=f"commit {made[:10]} "):
        followed.take()


def test_a_long_history_is_looked_through_to_the_one_that_is_not_signed(people: Author, keys: Keys, followed: Followed) -> None:
    ann = keys.ssh("ann")
    commit(people, *ann)
    followed.take()
    for _ in range(5):
        commit(people, *ann)
    slipped = commit(people)
    commit(people, *ann)
    with pytest.raises(InvalidRevision, match=slipped[:10]):
        followed.take()


def test_the_agents_directory_may_have_a_long_name(people: Author, keys: Keys, tmp_path: Path) -> None:
    """The path of a socket has 107 bytes at most, and gpg wants one beside its keyring."""
    followed = Followed(people, tmp_path / ("long" * 30), Signers(None, keys.public))
    commit(people, *keys.gpg("bob"))
    followed.take()
    followed.source.close()


def test_a_file_that_is_no_key_is_named(people: Author, keys: Keys, followed: Followed) -> None:
    (keys.public / "readme.txt").write_text("these are our keys")
    commit(people, *keys.ssh("ann"))
    with pytest.raises(Unavailable, match=r"signer_keys .*: gpg: no valid OpenPGP data found"):
        followed.take()
