"""How a token, a key or a CA gets there, and that a token gets nowhere else."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gitops_agent.errors import Unavailable
from gitops_agent.source import Remote, Source
from tests.gitserver import Author, GitServer, forbidden, redirect_to, refuse, serve
from tests.source.conftest import Follow

TOKEN = "canary-0123456789abcdef"


@pytest.fixture
def token_file(git_server: GitServer, tmp_path: Path) -> Path:
    git_server.token = TOKEN
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return tmp_path / "token"


def test_a_token_goes_with_the_first_request(author: Author, follow: Follow, git_server: GitServer, token_file: Path) -> None:
    sha = author.push({"a": "1"})
    source = follow(token_file=token_file, username="robot")
    assert source.fetch().sha == sha
    assert source.reachable()
    expected = "Basic " + base64.b64encode(f"robot:{TOKEN}".encode()).decode()
    assert {seen.authorization for seen in git_server.seen} == {expected}


def test_a_token_is_nowhere_to_be_seen(
    author: Author, follow: Follow, git_server: GitServer, token_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not on a command line, in a file of git's, in an error or in a log, plain or encoded (failure modes 10 and 59)."""
    author.push({"a": "1"})
    encoded = base64.b64encode(f"gitops-agent:{TOKEN}".encode()).decode()
    commands: list[bytes] = []

    def note_commands(handler: object) -> None:
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                commands.append(entry.read_bytes())
            except OSError:  # it has ended
                continue
        serve(handler)  # type: ignore[arg-type]

    git_server.behave(note_commands)
    source = follow(token_file=token_file)
    source.write_note(source.fetch().sha, "gitops/e: success: done")
    assert any(git_server.url().encode() in command for command in commands)
    written = [file.read_bytes() for file in (tmp_path / "state").rglob("*") if file.is_file()]
    # A server that says what it was sent.
    git_server.behave(refuse(lambda handler: f"you sent {handler.headers['Authorization']}, which is {handler.password()}"))
    with pytest.raises(Unavailable, match=r"you sent Basic \(sensitive\), which is \(sensitive\)") as caught:
        source.fetch()
    told = [str(caught.value).encode(), repr(caught.value).encode(), caplog.text.encode()]
    for place in (*commands, *written, *told):
        assert TOKEN.encode() not in place
        assert encoded.encode() not in place


def test_a_token_is_rotated(author: Author, follow: Follow, git_server: GitServer, token_file: Path) -> None:
    """Failure mode 10: on the server first, then in the file, without a restart."""
    source = follow(token_file=token_file)
    sha = author.push({"a": "1"})
    source.fetch()
    git_server.token = "the-next-token"
    with pytest.raises(Unavailable, match=r"the token is refused$"):
        source.fetch()
    token_file.unlink()
    with pytest.raises(Unavailable, match=r"token file .* cannot be read: No such file"):
        source.fetch()
    assert not source.reachable()
    token_file.write_text("the-next-token")
    assert source.fetch().sha == sha


def test_a_token_that_may_not_is_refused(author: Author, follow: Follow, git_server: GitServer, token_file: Path) -> None:
    git_server.behave(forbidden)
    with pytest.raises(Unavailable, match=r"the token is refused$"):
        follow(token_file=token_file).fetch()


def test_no_token_where_one_is_needed(author: Author, follow: Follow, token_file: Path) -> None:
    with pytest.raises(Unavailable, match=r"a token is needed: set token_file$"):
        follow().fetch()


def test_a_token_does_not_follow_a_redirect(
    author: Author, follow: Follow, git_server: GitServer, token_file: Path, tmp_path: Path
) -> None:
    other = GitServer(tmp_path / "server")
    try:
        author.push({"a": "1"})
        git_server.behave(redirect_to(other.base))
        with pytest.raises(Unavailable):
            follow(token_file=token_file).fetch()
        assert other.seen == []
    finally:
        other.stop()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a certificate for 127.0.0.1 that nobody but its owner trusts."""
    pem, key = tmp_path / "server.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=test",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            key,
            "-out",
            pem,
        ],
        check=True,
        capture_output=True,
    )
    pem.write_bytes(key.read_bytes() + pem.read_bytes())
    return pem


def test_https_with_a_ca_of_its_own(author: Author, follow: Follow, certificate: Path, tmp_path: Path) -> None:
    sha = author.push({"a": "1"})
    server = GitServer(tmp_path / "server", certificate=certificate)
    try:
        with pytest.raises(Unavailable, match=r"certificate"):
            follow(server.url()).fetch()
        assert follow(server.url(), ca_file=certificate).fetch().sha == sha
    finally:
        server.stop()


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program named ssh that writes down its arguments and runs the command here. Gives the file with the arguments."""
    seen = tmp_path / "ssh.seen"
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(f"""#!{sys.executable}
import os, sys
open({str(seen)!r}, "w").write("\\n".join(sys.argv[1:]))
os.execvp("sh", ["sh", "-c", sys.argv[-1]])
""")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return seen


@pytest.mark.parametrize("form", ["git@host:{}", "ssh://git@host{}"])
def test_ssh(form: str, author: Author, follow: Follow, ssh: Path, tmp_path: Path) -> None:
    sha = author.push({"a": "1"})
    key, hosts = tmp_path / "a key", tmp_path / "known_hosts"
    source = follow(form.format(author.remote), ssh_key_file=key, known_hosts_file=hosts, timeout=5)
    assert source.fetch().sha == sha
    options = [argument.removeprefix("-o") for argument in ssh.read_text().splitlines() if argument.startswith("-o")]
    assert options == [
        "BatchMode=yes",
        "ConnectTimeout=5",
        "StrictHostKeyChecking=yes",
        "ControlMaster=no",
        f"IdentityFile={key}",
        "IdentitiesOnly=yes",
        f"UserKnownHostsFile={hosts}",
        "GlobalKnownHostsFile=/dev/null",
    ]


def test_ssh_says_why_it_failed(author: Author, follow: Follow, ssh: Path) -> None:
    program = Path(shutil.which("ssh") or "")
    program.write_text("#!/bin/sh\necho 'Host key verification failed.' >&2\nexit 255\n")
    with pytest.raises(Unavailable, match=r"^cannot fetch main from git@host:/r\.git: Host key verification failed\.$"):
        follow("git@host:/r.git").fetch()


@pytest.mark.live
def test_a_real_sshd(author: Author, tmp_path: Path, free_port: object) -> None:
    """SSHD_LIVE names OpenSSH's sshd."""
    sshd = os.environ.get("SSHD_LIVE") or pytest.skip("SSHD_LIVE is not set")
    sha = author.push({"a": "1"})
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    (tmp_path / "authorized").write_text((tmp_path / "user.pub").read_text())
    port = free_port()  # type: ignore[operator]
    options = {"Port": port, "ListenAddress": "127.0.0.1", "HostKey": tmp_path / "host", "PidFile": "none", "StrictModes": "no"}
    options |= {"AuthorizedKeysFile": tmp_path / "authorized", "UsePAM": "no", "PermitRootLogin": "yes"}
    command = [sshd, "-D", "-f", "/dev/null", *(f"-o{name}={value}" for name, value in options.items())]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    host = (tmp_path / "host.pub").read_text()
    url = f"ssh://{os.environ.get('USER', 'root')}@127.0.0.1:{port}{author.remote}"
    try:
        known = tmp_path / "known_hosts"
        remote = Remote(url, ssh_key_file=tmp_path / "user", known_hosts_file=known, timeout=10)
        source = Source(remote, tmp_path / "state", "e")
        known.write_text("")
        with pytest.raises(Unavailable, match=r"Host key verification failed|No .* host key is known"):
            _when_listening(source)
        known.write_text(f"[127.0.0.1]:{port} {host}")
        assert source.fetch().sha == sha
        source.close()
    finally:
        server.terminate()
        server.wait()


def _when_listening(source: Source) -> None:
    for _ in range(50):
        try:
            source.fetch()
        except Unavailable as error:
            if "Connection refused" not in str(error):
                raise
    raise AssertionError("sshd does not listen")
