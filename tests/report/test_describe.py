"""A description fits Gitea's line, shows no secret, and no half of a mask (failure mode 56)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_agent import secret
from gitops_agent.report import describe

CANARY = "canary-of-the-description-5b0e7f"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("applied; nginx: 1 updated", "applied; nginx: 1 updated"),
        ("nginx: [emerg] unknown directive\n\tin site.conf:3\n", "nginx: [emerg] unknown directive in site.conf:3"),
        ("\x1b[31mred\x1b[0m and \x00 nothing \udcff", "[31mred [0m and nothing"),
        ("x" * 140, "x" * 140),
        ("x" * 141, "x" * 139 + "…"),
        ("word " * 40, ("word " * 28)[:139].rstrip() + "…"),
        ("a" * 130 + "(sensitive)" + "b" * 20, "a" * 130 + "…"),
        ("a" * 128 + "(sensitive)" + "b" * 20, "a" * 128 + "(sensitive)…"),
        ("", ""),
    ],
)
def test_one_line_that_fits(text: str, line: str) -> None:
    assert describe(text) == line


@given(
    before=st.text(max_size=200),
    after=st.text(max_size=200),
    text=st.sampled_from([CANARY, f"{CANARY}{CANARY}", f"{CANARY} {CANARY}"]),
)
def test_wherever_a_secret_stands_nothing_of_it_is_left(before: str, after: str, text: str) -> None:
    secret.remember(CANARY)
    line = describe(f"{before}{text}{after}")
    assert len(line) <= 140
    for length in range(6, len(CANARY)):
        assert CANARY[:length] not in line
    for length in range(4, len(secret.SHOWN)):
        assert not line.endswith(f"{secret.SHOWN[:length]}…"), "a mask cut in half"
