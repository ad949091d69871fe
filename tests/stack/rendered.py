"""The stack as a run sees it: rendered with the template's values and an overlay, with secrets that only this test knows."""

from __future__ import annotations

import secrets
import uuid
from pathlib import Path

from gitops_agent.model import Files, Revision
from gitops_agent.render import Renderer
from gitops_agent.secret.placeholder import ENCODERS, opener, substitute
from tests.conformance.subject import KEY

ROOT = Path(__file__).parent.parent.parent
_SALT = uuid.UUID(bytes=secrets.token_bytes(16))


def value(reference: str) -> str:
    """What is behind a reference: a UUID, which every system takes for a password, a token or a key."""
    return str(uuid.uuid5(_SALT, reference))


class Secrets(dict[str, str]):
    """Every reference has a value."""

    def __missing__(self, reference: str) -> str:
        return value(reference)

    def __contains__(self, reference: object) -> bool:
        return True


def tree(*folders: str, overlay: str = "") -> Files:
    """These folders, by paths in the config repo; all of them if none is named. `overlay` is YAML over values/common.yaml. Secrets
    are placeholders."""
    files = {
        str(path.relative_to(start)): path.read_bytes()
        for start in (ROOT / "stack", ROOT / "repo-template")
        for path in sorted(start.rglob("*"))
        if path.is_file()
    }
    wanted = {path: content for path, content in files.items() if not folders or path.split("/")[0] in {"values", *folders}}
    shared = {path: content for path, content in files.items() if path.startswith("_")}
    renderer = Renderer()
    try:
        return renderer.render({**wanted, **shared, "values/test.yaml": overlay.encode()}, "test", Revision("main", "0" * 40), KEY)
    finally:
        renderer.close()


def folder(name: str, overlay: str = "") -> Files:
    """One target's files, by paths inside its folder."""
    return {path.removeprefix(f"{name}/"): content for path, content in tree(name, overlay=overlay).items()}


def plain(files: Files) -> Files:
    """The same with values in the place of placeholders, as it is written on the host."""
    open_ = opener(KEY)

    def reveal(body: str, digest: str) -> str:
        secret = open_(body, digest)
        return ENCODERS[secret.encode](value(secret.reference))

    return {path: substitute(content, reveal, reveal) for path, content in files.items()}


def write(files: Files, directory: Path) -> Path:
    """`plain(files)` below `directory`."""
    for path, content in plain(files).items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(content)
    return directory
