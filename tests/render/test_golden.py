"""Renderings: a case is a directory of `tests/golden/render` with the tree in `in/` and what becomes of it in `out/`, or
`error.txt`.

The environment is `production`, the revision `main@sha1:0123…`. In `out/` references stand as `<file:NAME>`, `<file:NAME json>`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Revision
from gitops_agent.render import Renderer
from gitops_agent.secret.placeholder import opener, substitute
from tests.goldens import GOLDEN, assert_golden

KEY = b"k" * 32
REVISION = Revision("main", "0123456789abcdef0123456789abcdef01234567")
CASES = sorted((GOLDEN / "render").iterdir())


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_rendering(renderer: Renderer, case: Path) -> None:
    files = {path.relative_to(case / "in").as_posix(): path.read_bytes() for path in (case / "in").rglob("*") if path.is_file()}
    try:
        rendered = renderer.render(files, "production", REVISION, KEY)
    except InvalidRevision as error:
        assert_golden(case / "error.txt", f"{error}\n")
        return
    for path, content in rendered.items():
        (case / "out" / path).parent.mkdir(parents=True, exist_ok=True)
        assert_golden(case / "out" / path, substitute(content.decode(), _reference, _reference))
    expected = {path for path in (case / "out").rglob("*") if path.is_file() and path.suffix != ".actual"}
    assert {path.relative_to(case / "out").as_posix() for path in expected} == {*rendered}
    assert not (case / "error.txt").exists()


def _reference(body: str, digest: str) -> str:
    secret = opener(KEY)(body, digest)
    return f"<{secret.reference} {secret.encode}>".replace(" >", ">")
