"""What `nginx -t` said, and whose mistake it is."""

from __future__ import annotations

import re
from collections.abc import Callable

from gitops_agent.errors import InvalidRevision, Unavailable

_LINE = re.compile(r"\[(?:emerg|alert|crit|error)\] (?:\d+#\d+: )?(?P<said>.+?)(?: in (?P<file>/.+):(?P<line>\d+))?\s*$")
# Not to be found, reached or allowed here and now: other files would fare no better, the same ones may tomorrow.
_NOT_THE_AUTHORS = re.compile(
    r"host not found|could not be resolved|"
    r"cannot load certificate.*No such file|"  # keys are in no folder: another target, or somebody else, has yet to put them there
    r"\((?:1: Operation not permitted|13: Permission denied|24: Too many|28: No space|30: Read-only|97: Address family|99: )"
)


def judge(output: str, ours: Callable[[str], str | None]) -> InvalidRevision | Unavailable:
    """`ours` gives the folder's name of a path that nginx printed, None for files that are not the author's."""
    first = next((match for line in output.splitlines() if (match := _LINE.search(line))), None)
    if first is None:
        lines = output.split("\n")
        return InvalidRevision(next((line.strip() for line in reversed(lines) if line.strip()), "nginx -t failed and said nothing"))
    said, printed, line = first["said"], first["file"], first["line"]
    file = ours(printed) if printed else None
    if _NOT_THE_AUTHORS.search(said):
        return Unavailable(f"nginx -t: {said}{f' in {file or printed}:{line}' if printed else ''}")
    if printed and file is None:
        return Unavailable(f"nginx -t: {said} in {printed}:{line}, which is not in this folder")
    return InvalidRevision(said, file=file or "", line=int(line or 0))
