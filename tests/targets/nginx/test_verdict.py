"""Whose mistake it is, word by word."""

from __future__ import annotations

import pytest

from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.targets.nginx.verdict import judge

STAGED = "/x/staged/"


def ours(path: str) -> str | None:
    return path.removeprefix(STAGED) if path.startswith(STAGED) else None


AUTHORS = {
    'nginx: [emerg] unknown directive "a" in /x/staged/n.conf:3\nnginx: configuration file /x test failed': (
        'n.conf:3: unknown directive "a"'
    ),
    "nginx: [warn] a in /x/staged/n.conf:1\nnginx: [emerg] b in /x/staged/m.conf:2": "m.conf:2: b",
    "2026/11/23 21:55:22 [emerg] 7#7: unexpected end of file in /x/staged/a b.conf:9": "a b.conf:9: unexpected end of file",
    'nginx: [emerg] cannot load certificate "/c.pem": BIO_new() failed': 'cannot load certificate "/c.pem": BIO_new() failed',
    "Illegal instruction": "Illegal instruction",
    "": "nginx -t failed and said nothing",
}
NOBODYS = {
    'host not found in upstream "u" in /x/staged/n.conf:3': 'host not found in upstream "u" in n.conf:3',
    'open() "/run/nginx.pid" failed (13: Permission denied)': 'open() "/run/nginx.pid" failed (13: Permission denied)',
    "bind() to 0.0.0.0:80 failed (13: Permission denied)": "bind() to 0.0.0.0:80 failed (13: Permission denied)",
    'mkdir() "/t" failed (28: No space left on device)': 'mkdir() "/t" failed (28: No space left on device)',
    "no servers in /up/app.conf:2": "no servers in /up/app.conf:2, which is not in this folder",
}


@pytest.mark.parametrize("output", AUTHORS)
def test_the_authors(output: str) -> None:
    error = judge(output, ours)
    assert isinstance(error, InvalidRevision)
    assert str(error) == AUTHORS[output]


@pytest.mark.parametrize("output", NOBODYS)
def test_nobodys(output: str) -> None:
    error = judge(f"nginx: [emerg] {output}", ours)
    assert isinstance(error, Unavailable)
    assert str(error) == f"nginx -t: {NOBODYS[output]}"
