"""The one object that a run, the outbox and the web ask about the repository."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

from gitops_agent.errors import ApplyFailed, CommandFailed, Unavailable
from gitops_agent.model import Files, Revision
from gitops_agent.source.command import Git, reason
from gitops_agent.source.mirror import Mirror
from gitops_agent.source.notes import Notes
from gitops_agent.source.objects import Damaged, Object, TooLarge
from gitops_agent.source.remote import Remote
from gitops_agent.source.signatures import Signatures, Signers
from gitops_agent.source.tree import Limits, TreeReader

_log = logging.getLogger(__name__)
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_LARGEST_COMMIT = 1 << 20
_QUICK = 10.0
"""Seconds in which a remote that is well says so."""


class Source:
    """One branch of one repository. `directory` is the environment's own, STATE/<environment>.

    `fetch`, `read`, `mark_…` and `tidy` are the worker's; the rest may be called from any thread.
    """

    def __init__(self, remote: Remote, directory: Path, environment: str, signers: Signers | None = None) -> None:
        """Without `signers` everybody's commits count."""
        self._remote = remote
        git = Git(remote, directory)
        self._mirror = Mirror(git, directory, environment)
        self._marks = self._mirror.marks
        self._signatures = Signatures(git, directory, signers) if signers is not None else None
        self._notes = Notes(git, self._mirror.path)
        self._trees = TreeReader(Limits(remote.max_file_bytes, remote.max_tree_bytes))

    def fetch(self) -> Revision:
        """The branch's newest commit, asked for now. A broken mirror mends itself.

        Raises Unavailable when the remote cannot be reached, is too slow, speaks nonsense, refuses the token or has no such branch
        (then it names those that are there)."""
        self._mirror.update()
        try:
            head = self._revision(self._marks.head)
        except Damaged as error:
            self._renew(error)
            head = self._revision_of_fresh_clone()
        if head is None:
            raise Unavailable(f"{self._remote.url} was fetched, and {self._remote.branch} is not in the mirror")
        return head

    def read(self, revision: Revision) -> Files:
        """Every file of a revision, by path.

        Raises InvalidRevision for links, submodules, paths that leave the tree and what is too large, and names the file;
        Unavailable when the branch no longer has the commit and the mirror lost it."""
        try:
            return self._read(revision)
        except Damaged as error:
            self._renew(error)
        try:
            return self._read(revision)
        except Damaged as error:
            raise Unavailable(f"{revision} cannot be read: {error}") from None

    def verify(self, revision: Revision) -> None:
        """Raises InvalidRevision unless what the revision brings was signed by those who may, Unavailable when that cannot be
        checked. What was applied before is not asked about again."""
        if self._signatures is not None:
            self._signatures.check(self._mirror.path, revision, self.applied())

    @property
    def signed(self) -> bool:
        """Whether only signed commits count."""
        return self._signatures is not None

    def head(self) -> Revision | None:
        """Where the branch was when it was last fetched: what an agent that starts while Gitea is down goes on with."""
        return self._known(self._marks.head)

    def applied(self) -> Revision | None:
        """The last revision that a run brought to its end, None where there was none or the mirror lost it."""
        return self._known(self._marks.applied)

    def is_rejected(self, revision: Revision) -> bool:
        return self._known(self._marks.rejected(revision.sha)) is not None

    def mark_applied(self, revision: Revision) -> None:
        """Raises Unavailable when the mirror cannot be written."""
        self._mark(self._marks.apply, revision)

    def mark_rejected(self, revision: Revision) -> None:
        """Never again, unless it is applied with an operator's consent. Raises Unavailable when the mirror cannot be written."""
        self._mark(self._marks.reject, revision)

    def is_good(self, revision: Revision) -> bool:
        """Whether a commit with the very same files was marked good."""
        tree = self._tree(revision)
        return bool(tree) and self._known(self._marks.good(tree)) is not None

    def mark_good(self, revision: Revision) -> None:
        """Its files were validated and need not be again. Raises Unavailable when the mirror cannot be written."""
        if tree := self._tree(revision):
            self._mark(lambda repository, sha: self._marks.find_good(repository, sha, tree), revision)

    def restoring(self) -> Revision | None:
        """The revision that did not work out, while the applied one is being brought back; also after a kill in the middle."""
        return self._known(self._marks.restoring)

    def unrestored(self) -> Revision | None:
        """The revision after which the applied one could not be brought back; None once one was applied since."""
        return self._known(self._marks.unrestored)

    def mark_restoring(self, revision: Revision) -> None:
        """Rejects the revision, and remembers that what was applied is to be brought back. Raises Unavailable."""
        self._mark(self._marks.restore, revision)

    def mark_restored(self, revision: Revision, *, well: bool) -> None:
        """Bringing back what was applied before `revision` is over; if not well, nobody tries again. Raises Unavailable."""
        self._mark(self._marks.restored if well else self._marks.give_up, revision)

    def contains(self, sha: str) -> bool:
        """Whether the mirror has this commit: the branch has it, or had it when it was applied or rejected."""
        return _SHA.fullmatch(sha) is not None and self._known(sha) is not None

    def reachable(self) -> bool:
        """Whether the remote answers now and has the branch. Costs one request."""
        return self._mirror.reachable(min(_QUICK, self._remote.timeout))

    def write_note(self, sha: str, text: str) -> None:
        """Puts the lines of `text`, each `context: words`, into the commit's note under refs/notes/gitops and pushes it.

        Lines of other contexts stay. Raises Unavailable, and ApplyFailed when the commit is gone."""
        if not self.contains(sha):
            raise ApplyFailed(f"no note for {sha[:10]}: the commit is gone")
        self._notes.write(sha, text)

    def tidy(self) -> None:
        """Keeps the mirror from growing without end; does nothing when there is little to do. Call it when nobody waits."""
        try:
            self._mirror.tidy()
        except (CommandFailed, Unavailable) as error:
            _log.warning("the mirror could not be packed", extra={"why": str(error)})

    def close(self) -> None:
        """Ends the process that reads; the next read starts it again."""
        self._mirror.objects.close()

    def _read(self, revision: Revision) -> Files:
        with self._mirror.objects.open() as find:
            try:
                return self._trees.read(find, revision.sha)
            except KeyError:
                raise Unavailable(f"{revision} is neither in the mirror nor on the branch any more") from None

    def _renew(self, error: Damaged) -> None:
        _log.warning("the mirror is replaced by a fresh clone", extra={"why": str(error)})
        self._mirror.replace()

    def _mark(self, mark: Callable[[Path, str], None], revision: Revision) -> None:
        try:
            try:
                mark(self._mirror.path, revision.sha)
            except CommandFailed:
                self._mirror.unlock()
                mark(self._mirror.path, revision.sha)
        except CommandFailed as error:
            raise Unavailable(f"cannot record {revision} in {self._mirror.path}: {reason(error, self._remote)}") from None

    def _tree(self, revision: Revision) -> str:
        """Empty when the mirror does not have it, or its root is larger than any that could be read."""
        try:
            with self._mirror.objects.open() as find:
                found = find(f"{revision.sha}^{{tree}}", _LARGEST_COMMIT)
        except (Damaged, TooLarge):
            return ""
        return found.sha if found is not None else ""

    def _known(self, name: str) -> Revision | None:
        """None also when the mirror is damaged: the next fetch mends it, and until then it knows nothing."""
        if not self._mirror.path.exists():
            return None
        try:
            return self._revision(name)
        except Damaged as error:
            _log.warning("the mirror is damaged", extra={"why": str(error)})
            return None

    def _revision_of_fresh_clone(self) -> Revision | None:
        try:
            return self._revision(self._marks.head)
        except Damaged as error:
            raise Unavailable(f"{self._remote.branch} of {self._remote.url} cannot be read: {error}") from None

    def _revision(self, name: str) -> Revision | None:
        with self._mirror.objects.open() as find:
            try:
                found = find(name, _LARGEST_COMMIT)
            except TooLarge as error:
                raise Damaged(f"the commit at {name} has {error}") from None  # garbage in a pack says any size
        return None if found is None or found.kind != "commit" else _parsed(self._remote.branch, found)


def _parsed(branch: str, commit: Object) -> Revision:
    head, _, message = commit.data.partition(b"\n\n")
    author = next((line for line in head.split(b"\n") if line.startswith(b"author ")), b"author ")
    return Revision(
        branch,
        commit.sha,
        subject=message.strip().split(b"\n")[0].decode(errors="replace"),
        author=author.removeprefix(b"author ").partition(b" <")[0].decode(errors="replace"),
    )
