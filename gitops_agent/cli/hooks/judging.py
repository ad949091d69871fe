"""What a commit or a push would hold, judged: the staged files and the commits themselves, not what lies in the work tree."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from gitops_agent import process
from gitops_agent.cli.hooks import added, leaks
from gitops_agent.errors import AgentError

_TIMEOUT = 120.0
_ZERO = frozenset("0")
_DIFF = (
    *("--unified=0", "--text", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames"),
    *("--src-prefix=a/", "--dst-prefix=b/"),
)
_WAYS_OUT = f"""\
A secret is put into the agent's store, and {{{{ secret("file:NAME") }}}} here. Is it none? Write `{leaks.FINE}` in a comment of
the line, or in .gitattributes: path/of/file {leaks.FINE}. To leave out all checks once: git ACTION --no-verify"""


class Repository:
    """git in the repository whose hook this is; the index is the one that git says will be committed (GIT_INDEX_FILE)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def git(
        self, *arguments: str, env: Mapping[str, str] | None = None, stdin: bytes | None = None, accept: tuple[int, ...] = (0,)
    ) -> str:
        command = ("git", "-c", "core.quotePath=false", "-C", str(self.path), *arguments)
        done = process.run(command, timeout=_TIMEOUT, env=env, stdin=stdin, accept=accept)
        return done.stdout.decode(errors="replace")

    def leaks(self, diff: str) -> list[str]:
        """`FILE:LINE: what it is` for each line that a diff adds."""
        found = [(line, what) for line in added.lines(diff) for what in leaks.find(line.file, line.text)]
        fine = self._fine({line.file for line, _ in found})
        return [f"{line.commit}{line.file}:{line.number}: looks like {what}" for line, what in found if line.file not in fine]

    def _fine(self, files: set[str]) -> set[str]:
        if not files:
            return set()
        told = self.git("check-attr", "--cached", "-z", "--stdin", leaks.FINE, stdin="\0".join(files).encode()).split("\0")
        return {file for file, value in zip(told[::3], told[2::3], strict=False) if value == "set"}

    def exported(self, index: Mapping[str, str] | None, to: Path) -> Path:
        """The files of an index; of git's own unless another is given."""
        self.git("checkout-index", "--all", f"--prefix={to}/", env=index)
        return to


def commit(path: Path) -> list[str]:
    """What is wrong with what is staged; nothing when it may be committed."""
    repository = Repository(path)
    found = repository.leaks(repository.git("diff", "--cached", *_DIFF))
    if found:
        return ["refused: the commit would hold a secret", *found, _WAYS_OUT.replace("ACTION", "commit")]
    with TemporaryDirectory(prefix="gitops-agent-") as temporary:
        return _refusal("commit", "", _check(repository.exported(None, _made(temporary, "tree"))))


def push(path: Path, remote: str, moved: str) -> list[str]:
    """What is wrong with a push. `moved` is what git tells the hook: a line each of local ref, commit, remote ref, commit."""
    repository, said = Repository(path), []
    for line in moved.splitlines():
        _, ours, ref, theirs = line.split()
        if set(ours) == _ZERO:
            continue  # deleted: nothing leaves
        commits = [ours, *_known(repository, remote, theirs)]
        log = ("log", "--patch", "--cc", "--format=commit %H", *_DIFF, *commits, "--")
        if found := repository.leaks(repository.git(*log)):
            forget = "A secret in an older commit leaves with it: rewrite that one (git rebase -i)."
            said += [f"refused: {ref} would hold a secret", *found, forget, _WAYS_OUT.replace("ACTION", "push")]
        elif ref.startswith("refs/heads/"):
            with TemporaryDirectory(prefix="gitops-agent-") as temporary:
                index = {"GIT_INDEX_FILE": str(Path(temporary, "index"))}
                repository.git("read-tree", ours, env=index)
                said += _refusal("push", f"{ref}: ", _check(repository.exported(index, _made(temporary, "tree"))))
    return said


def _known(repository: Repository, remote: str, theirs: str) -> Iterator[str]:
    """What the other side has already, as far as anybody here knows."""
    if remote in repository.git("remote").split():
        yield from ("--not", f"--remotes={remote}")
    if set(theirs) != _ZERO and not repository.git("cat-file", "--batch-check", stdin=f"{theirs}\n".encode()).endswith("missing\n"):
        yield f"^{theirs}"


def _made(*parts: str) -> Path:
    directory = Path(*parts)
    directory.mkdir()
    return directory


def _check(tree: Path) -> list[str]:
    from gitops_agent.cli.bench import Bench
    from gitops_agent.cli.rendering import Rendering

    # The hook's own variables would lead git to the author's repository instead of the copy.
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("GIT_")}
    try:
        with Rendering(tree) as rendering:
            bench = Bench(rendering)
            findings = [finding for name in bench.environments() for finding in bench.check(name)]
    except AgentError as error:
        return [str(error)]
    finally:
        os.environ.update(hidden)
    return [f"{finding.environment}/{finding.target}: {finding.error}".replace("/:", ":") for finding in findings if finding.error]


def _refusal(action: str, where: str, wrong: list[str]) -> list[str]:
    if not wrong:
        return []
    return [
        f"refused: {where}does not pass `gitops-agent check`",
        *wrong,
        f"To leave out all checks once: git {action} --no-verify",
    ]
