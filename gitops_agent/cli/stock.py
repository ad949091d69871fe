"""All objects of a small repository, read by two short processes: for one look that is quicker than a process that stays."""

from __future__ import annotations

from collections.abc import Callable

from gitops_agent.errors import InvalidRevision
from gitops_agent.source.objects import Object, TooLarge
from gitops_agent.source.tree import Limits

COMMIT = "HEAD"
_EVERYTHING = ("cat-file", "--batch-all-objects")


class Stock:
    """`find` finds what is in the repository, and COMMIT, a commit of `tree` that nobody has made."""

    def __init__(self, git: Callable[..., bytes], tree: str, limits: Limits) -> None:
        """`git` runs in the repository and gives what it prints. Raises InvalidRevision where the files are larger together than
        they may be; no content is in memory then."""
        listed = [line.split() for line in git(*_EVERYTHING, "--batch-check").decode().splitlines()]
        self._sizes = {sha: int(size) for sha, _, size in listed}
        wanted = [sha for sha, kind, _ in listed if self._sizes[sha] <= (limits.file if kind == "blob" else limits.tree)]
        if sum(self._sizes[sha] for sha in wanted) > 2 * limits.tree:
            raise InvalidRevision(f"all files together are larger than {limits.tree:,} bytes")
        self._objects = {COMMIT: Object(COMMIT, "commit", f"tree {tree}\n".encode()), **_read(git, wanted)}

    def find(self, name: str, largest: int) -> Object | None:
        """As `source.objects.Find` says. Raises TooLarge."""
        if self._sizes.get(name, 0) > largest:
            raise TooLarge(self._sizes[name])
        return self._objects.get(name)


def _read(git: Callable[..., bytes], wanted: list[str]) -> dict[str, Object]:
    """Of each `<sha> <kind> <size>`, a line end, that many bytes, a line end."""
    printed, at, objects = git("cat-file", "--batch", stdin="\n".join(wanted).encode()), 0, {}
    while at < len(printed):
        start = printed.index(b"\n", at) + 1
        sha, kind, size = printed[at:start].decode().split()
        at = start + int(size) + 1
        objects[sha] = Object(sha, kind, printed[start : at - 1])
    return objects
