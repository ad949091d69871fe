"""`check` and `render`: what the author can know before a push, without the agent and without its agent.toml."""

from __future__ import annotations

import os
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gitops_agent.cli import options
from gitops_agent.cli.console import Console
from gitops_agent.errors import ConfigError
from gitops_agent.model import CHANGED, PACKED

if TYPE_CHECKING:
    from gitops_agent.cli.bench import Finding

Directory = Annotated[Path, typer.Argument(metavar="PATH", help="The config repo; this directory unless given.")]
Name = Annotated[
    str, typer.Option("--environment", "-e", metavar="NAME", help="One environment; otherwise each that values/ has a file for.")
]
AgentToml = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="agent.toml that says what each folder is, instead of its name."),
]


Programs = Annotated[
    bool,
    typer.Option("--programs", help="Also let programs look that are here (nginx -t, promtool, …), and look for secrets."),
]

ChangedOnly = Annotated[
    bool,
    typer.Option(
        "--changed-only", help=f"Only what the files in ${CHANGED} can change, one a line; everything where it is not set."
    ),
]

Packed = Annotated[bool, typer.Option("--packed", help=f"The files are in ${PACKED}, where it is set: the agent puts them there.")]


def check(
    path: Directory = Path(),
    environment: Name = "",
    config: AgentToml = None,
    programs: Programs = False,
    changed_only: ChangedOnly = False,
    packed: Packed = False,
    as_json: options.AsJson = False,
) -> int:
    """Does every template render, is every file understood?

    Asks no system and needs no secret. What each folder is says --config, or agent/agent.toml of the repository; without these, a
    folder named as a kind (nginx/, nomad-apps/) is of that kind, any other is `files`. With --programs it says what could not be
    told here, too. With --changed-only it leaves out what files that were found good before have in common with these; the agent
    says so to the task that validates a commit. Made for git hooks and CI: exits with 1 when something is wrong.
    """
    from concurrent.futures import ThreadPoolExecutor

    from gitops_agent.cli.rendering import Rendering

    def place(finding: Finding) -> str:
        kind = f" ({finding.kind})" if finding.kind != finding.target else ""
        return f"{finding.environment}/{finding.target}{kind}" if finding.target else finding.environment or "files"

    changed = frozenset(os.environ.get(CHANGED, "").splitlines()) if changed_only else frozenset()
    sent = os.environ.get(PACKED, "") if packed else ""
    with Rendering(path, changed, sent) as rendering, ThreadPoolExecutor(1) as beside:
        if not config:  # what follows takes as long to import as git and the renderer take
            beside.submit(lambda: [rendering.begin(name) for name in rendering.environments(environment)])
        from gitops_agent.cli.bench import Bench

        bench = Bench(rendering, options.settings(config) if config else None, programs=programs)
        leaks = beside.submit(bench.leaks) if programs else None
        findings = [finding for name in bench.environments(environment) for finding in bench.check(name)]
        findings = [*(leaks.result() if leaks else ()), *findings]
        left_out = rendering.left_out
    console = Console()
    if as_json:
        console.json([finding.to_json() for finding in findings])
        return _status(findings)
    if left_out:
        console.text(f"not reached by what changed, and not looked at: {', '.join(sorted(left_out))}")
    elif not findings:
        console.text("nothing to check: there is no folder with files")
    # What is wrong comes last: that is where people look, and what Concourse's status says.
    for finding in sorted(findings, key=lambda finding: bool(finding.error)):
        said = finding.error or _said(finding)
        console.line(said, mark=not finding.error, head=place(finding))
    return _status(findings)


def _status(findings: list[Finding]) -> int:
    return int(any(finding.error for finding in findings))


def _said(finding: Finding) -> str:
    plural = "" if finding.resources == 1 else "s"
    looked = f", {finding.looked}" if finding.looked else ""
    left_out = f" (left out: {finding.left_out})" if finding.left_out else ""
    return f"{finding.resources} resource{plural}{looked}{left_out}"


def render(
    path: Directory = Path(),
    environment: Name = "",
    only: Annotated[list[str] | None, typer.Option("--only", metavar="PATTERN", help="Only these files: --only 'nginx/*'.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIRECTORY", help="Write the files there instead of printing them.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """What the templates become. Secrets stay references, shown as (sensitive)."""
    from gitops_agent.cli.rendering import Rendering
    from gitops_agent.secret import mask

    with Rendering(path) as rendering:
        rendered = rendering.tree(options.the_one(environment, rendering.environments(environment)))
    patterns = only or ["*"]
    tree = {file: content for file, content in rendered.items() if any(fnmatchcase(file, pattern) for pattern in patterns)}
    console = Console()
    if output is not None:
        if output.exists() and any(output.iterdir()):
            raise ConfigError(f"{output} is not empty")
        for file, content in tree.items():
            (output / file).parent.mkdir(parents=True, exist_ok=True)
            (output / file).write_bytes(_masked(content, mask))
        console.line(f"{len(tree)} files", mark=True, head=str(output))
    elif as_json:
        console.json({file: content.decode(errors="replace") for file, content in tree.items()})
    else:
        for file, content in tree.items():
            console.file(file, content.decode(errors="replace"))


def _masked(content: bytes, mask: Callable[[str], str]) -> bytes:
    """What is no text holds no reference either."""
    try:
        return mask(content.decode()).encode()
    except UnicodeDecodeError:
        return content
