"""`nginx -t` where nginx is not going to run: with stand-ins for what is only there, and nothing else changed.

Certificates that are not here become one that was made for this; a host that cannot be resolved becomes this one, in the very line
that nginx complains of; ports below 1024 become others, which anybody may open. What an include names that lies elsewhere is looked
at only where it is named with a `*`.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
from collections.abc import Iterator
from pathlib import Path

from gitops_agent import process
from gitops_agent.errors import AgentError, CommandFailed, Unavailable
from gitops_agent.file_target.moved import moved
from gitops_agent.file_target.rehearsal import TIMEOUT, lay_out, need
from gitops_agent.model import Files
from gitops_agent.targets.nginx.verdict import judge

_CERTIFICATE = re.compile(
    rb"(?P<before>\b(?:ssl_(?:client_|trusted_|proxy_)?certificate|\w+_ssl_(?:trusted_)?certificate|ssl_dhparam)\s+)"
    rb"(?P<path>/[^;\s$]+)(?=\s*;)"
)
_KEY = re.compile(rb"(?P<before>\b(?:\w+_)?ssl_certificate_key\s+)(?P<path>/[^;\s$]+)(?=\s*;)")
_LOW = re.compile(rb"(?P<before>\blisten\s+(?:[^;\s]*:)?)(?P<port>\d{1,4})(?=[\s;])")
_USER = re.compile(rb"^(?P<before>\s*)user\s+[^;]+;", re.MULTILINE)
_WRITTEN = re.compile(rb"(?P<before>\b(?:pid|error_log|access_log)\s+)(?P<path>/(?!dev/)[^;\s$]+)")
_UNKNOWN = re.compile(r'(?:host not found|could not be resolved)[^"]*"(?P<host>[^":]+)[^"]*".* in (?P<file>/.+):(?P<line>\d+)\s*$')
_MOST = 200
_HERE = b"127.0.0.1"


def rehearse(files: Files, config: str, live: Path, directory: Path) -> None:
    """Raises InvalidRevision, and Unavailable for what cannot be told here."""
    program = need("nginx")
    _make_certificate(directory)
    staged = lay_out(files, directory, lambda staged, content: _edited(moved(content, live, staged), directory))
    command = [program, "-t", "-q", "-e", "stderr", "-p", f"{directory}/", "-c", str(staged / config)]
    if os.geteuid() == 0:  # or it looks for the user that it was built for, whom only its own image may have
        command += ["-g", f"user {_root()};"]
    for _ in range(_MOST):
        output = _run(command)
        unknown = next(_unknown(output), None)
        if not output:
            return
        if unknown is None or not _stand_in(*unknown):
            raise _verdict(output, staged)
    raise Unavailable(f"nginx -t: more than {_MOST} lines with names that are not known here")


def _edited(content: bytes, directory: Path) -> bytes:
    def missing(match: re.Match[bytes], stand_in: Path) -> bytes:
        there = Path(match["path"].decode(errors="replace")).exists()
        return match[0] if there else match["before"] + bytes(stand_in)

    content = _CERTIFICATE.sub(lambda match: missing(match, directory / "stand-in.pem"), content)
    content = _KEY.sub(lambda match: missing(match, directory / "stand-in-key.pem"), content)
    content = _LOW.sub(lambda match: match["before"] + str(int(match["port"]) + 20000).encode(), content)
    content = _USER.sub(rb"\g<before># the one who looks", content)
    return _WRITTEN.sub(lambda match: match["before"] + bytes(directory / "written"), content)


def _root() -> str:
    """With its group, whose name is another one elsewhere."""
    found = pwd.getpwuid(0)
    return f"{found.pw_name} {grp.getgrgid(found.pw_gid).gr_name}"


def _make_certificate(directory: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    named = ["-subj", "/CN=stand-in", "-keyout", str(directory / "stand-in-key.pem"), "-out", str(directory / "stand-in.pem")]
    need("openssl")
    process.run([*command, *named], timeout=TIMEOUT)


def _run(command: list[str]) -> str:
    """What it complains of; empty where it has nothing to."""
    try:
        done = process.run(command, timeout=TIMEOUT, accept=range(256))
    except CommandFailed as error:
        raise Unavailable(f"nginx -t: {error}") from None
    return (done.stderr or f"exit status {done.status}") if done.status else ""


def _unknown(output: str) -> Iterator[tuple[bytes, Path, int]]:
    for line in output.splitlines():
        if match := _UNKNOWN.search(line):
            yield match["host"].encode(), Path(match["file"]), int(match["line"])


def _stand_in(host: bytes, file: Path, number: int) -> bool:
    """Whether there was something to put another name for."""
    lines = file.read_bytes().split(b"\n")
    before = lines[number - 1]
    lines[number - 1] = re.sub(rb"(?<![\w.-])" + re.escape(host) + rb"(?![\w.-])", _HERE, before)
    file.write_bytes(b"\n".join(lines))
    return lines[number - 1] != before


def _verdict(output: str, staged: Path) -> AgentError:
    def ours(printed: str) -> str | None:
        path = Path(printed)
        return str(path.relative_to(staged)) if path.is_relative_to(staged) else None

    return judge(output, ours)
