"""docs/failure-modes.md and the tests that show each of them belong together."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

_PAGE = ROOT / "docs/failure-modes.md"
_NAMED = re.compile(r"[Ff]ailure modes? (\d+(?:(?:,? and|,) \d+)*)")


def test_each_is_named_by_a_test_that_ci_runs() -> None:
    listed = [int(number) for number in re.findall(r"^(\d+)\. ", _PAGE.read_text(), re.MULTILINE)]
    assert listed == [*range(1, len(listed) + 1)]
    # A module of scenarios, of a suite: its tests are run by others.
    tests = [file for file in ROOT.glob("tests/**/*.py") if "live" not in file.relative_to(ROOT).parts]
    assert set(listed) == {number for file in tests for number in _named(file)}


def _named(file: Path) -> Iterator[int]:
    """By the docstrings of its tests and their classes, or by its own."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            for numbers in _NAMED.findall(" ".join((ast.get_docstring(node) or "").split())):
                yield from map(int, re.findall(r"\d+", numbers))
