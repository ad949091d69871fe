"""Golden files: a case is a file. On a mismatch what came out is written beside what was expected, as `<name>.actual`."""

from __future__ import annotations

from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


def assert_golden(expected: Path, actual: str) -> None:
    """`actual` is what the file says. To accept a change, move the `.actual` over it."""
    beside = expected.with_name(f"{expected.name}.actual")
    known = expected.read_text() if expected.exists() else None
    if actual == known:
        beside.unlink(missing_ok=True)
        return
    beside.write_text(actual)
    assert actual == known, f"{beside} differs from {expected.name}"
