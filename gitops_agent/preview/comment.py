"""The one comment on a pull request. Everything outside of its blocks of code is the agent's, the operator's, or hexadecimal."""

from __future__ import annotations

from gitops_agent.gitea import Pull
from gitops_agent.preview.markdown import fenced
from gitops_agent.preview.request import Answer, Section

_MOST = 60_000
"""Bytes of a comment. Gitea itself takes more; some of its databases, and readers, do not (failure mode 56)."""
_FAILURE = 4_000
_FRAME = 2_000
"""Bytes for all that is not a plan, besides a line of each target."""
_LEAST = 200
_CODE = frozenset("`|")


def marker(environment: str) -> str:
    """The first line of the comment, which Gitea does not show. It tells the agent's own comments apart from each other; that it is
    the agent's own is told by who wrote it."""
    return f"<!-- gitops-agent preview of {environment} -->"


def compose(environment: str, branch: str, answer: Answer) -> str:
    """What there is to say of a pull request that is open."""
    lines = [_title(environment, answer)]
    if answer.failure or answer.error:
        blame = "It cannot be applied as it is:" if answer.failure else "It could not be planned; this is tried again:"
        return _joined(environment, [*lines, blame, fenced(answer.failure or answer.error, _FAILURE)])
    lines += [f"Merging it into {_code(branch)} at {_short(answer.base)} would change:", _table(answer, branch)]
    room = _MOST - _FRAME - sum(100 + len(section.summary) for section in answer.sections)
    shown = [section for section in answer.sections if section.text or section.said]
    for index, section in enumerate(shown):
        block = _block(section, max(_LEAST, room // (len(shown) - index)))
        room -= len(block.encode())
        lines.append(block)
    lines.append("No secret was read for this; the real plan is made when it is merged.")
    return _joined(environment, lines)


def stale(body: str, why: str) -> str:
    """The same comment, with a line that says that it no longer holds. `why` is the agent's own words."""
    head, _, rest = body.partition("\n\n")
    return f"{head}\n\n> **Stale:** {why}\n\n{rest}"


def over(environment: str, branch: str, pull: Pull) -> str:
    """What is left to say when nothing more is going to happen."""
    if pull.merged:
        said = f"Merged as {_short(pull.merged)}. What comes of it is said on that commit."
    elif pull.open:
        said = f"No longer meant for {_code(branch)}."
    else:
        said = "Closed without being merged; nothing was applied."
    return _joined(environment, [f"### Plan for {_code(environment)}", said])


def summary(answer: Answer) -> str:
    """The words of the commit status."""
    if answer.failure or answer.error:
        return answer.failure or answer.error
    changed = [f"{section.target}: {section.summary}" for section in answer.sections if section.changes]
    refused = [section.target for section in answer.sections if section.said.startswith("would be refused")]
    return "; ".join(([f"{', '.join(refused)} would be refused"] if refused else []) + changed) or "no changes"


def _title(environment: str, answer: Answer) -> str:
    return f"### Plan for {_code(environment)}" + (f" of {_short(answer.head)}" if answer.head else "")


def _table(answer: Answer, branch: str) -> str:
    rows = [
        f"| {_code(section.target)} | {section.summary} | {'the live system' if section.live else _code(branch)} |"
        for section in answer.sections
    ]
    return "\n".join(["| target | changes | compared with |", "|---|---|---|", *rows])


def _block(section: Section, most: int) -> str:
    said = f"**{_code(section.target)}**:\n\n{fenced(section.said, _FAILURE)}\n\n" if section.said else ""
    if not section.text:
        return said.rstrip()
    head = f"<details><summary>{section.target}: {section.summary}</summary>\n\n"
    foot = "\n\n</details>"
    room = most - len(said.encode()) - len(head) - len(foot) - 60
    return f"{said}{head}{fenced(section.text, max(_LEAST, room))}{foot}"


def _joined(environment: str, blocks: list[str]) -> str:
    return "\n\n".join([marker(environment), *blocks]) + "\n"


def _code(name: str) -> str:
    """A name out of agent.toml."""
    return f"`{''.join(character for character in name if character not in _CODE)}`"


def _short(sha: str) -> str:
    return f"`{sha[:10]}`"
