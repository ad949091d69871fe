"""The shape of the package: small modules. (Who imports whom is a contract of import-linter, in script/lint.)"""

from __future__ import annotations

import statistics

from tests.conftest import ROOT


def test_modules_are_small() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in ROOT.glob("gitops_agent/**/*.py")}
    assert len(lines) > 20
    assert {path: count for path, count in lines.items() if count > 250} == {}
    # Of those that hold code: an __init__.py that names what its package offers would flatter the median.
    assert statistics.median(count for path, count in lines.items() if not path.endswith("__init__.py")) < 100
