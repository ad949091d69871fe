"""Real git over real HTTP: `git http-backend` behind a small server that checks tokens and can misbehave as git servers do.

    def test_it(git_server: GitServer, author: Author) -> None:
        sha = author.push({"nginx/site.conf": "…"})
        git_server.behave(unavailable)

Import the fixtures `git_server` and `author` where they are needed.
"""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fakes import git_backend


def git(*arguments: str | Path, at: Path, stdin: bytes | None = None) -> str:
    """What git prints, without the line end."""
    command = ["git", "-C", str(at), *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    if done.returncode:
        raise AssertionError(f"git {' '.join(map(str, arguments))}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode().rstrip("\n")


class Author:
    """Somebody with a clone, who commits and pushes."""

    def __init__(self, clone: Path, remote: Path, branch: str = "main") -> None:
        """Makes the bare repository `remote` where there is none yet."""
        self.clone = clone
        self.remote = remote
        self.branch = branch
        if not remote.exists():
            remote.mkdir(parents=True)
            git("init", "--quiet", "--bare", f"--initial-branch={branch}", at=remote)
        clone.mkdir(parents=True)
        git("init", "--quiet", f"--initial-branch={branch}", at=clone)
        git("remote", "add", "origin", remote.absolute(), at=clone)

    def commit(self, files: Mapping[str, str | bytes | None], message: str = "change") -> str:
        """Writes files (None removes one), commits and gives the sha."""
        for path, content in files.items():
            file = self.clone / path
            if content is None:
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        git("add", "--all", at=self.clone)
        git("commit", "--quiet", "--allow-empty", "-m", message, at=self.clone)
        return git("rev-parse", "HEAD", at=self.clone)

    def push(self, files: Mapping[str, str | bytes | None], message: str = "change") -> str:
        """Commits and pushes; gives the sha."""
        sha = self.commit(files, message)
        git("push", "--quiet", "origin", f"HEAD:refs/heads/{self.branch}", at=self.clone)
        return sha

    def force_push(self, files: Mapping[str, str | bytes | None], message: str = "rewritten") -> str:
        """Replaces the branch by one commit without history."""
        git("checkout", "--quiet", "--orphan", "rewritten", at=self.clone)
        git("rm", "--quiet", "-r", "-f", "--ignore-unmatch", ".", at=self.clone)
        sha = self.commit(files, message)
        git("branch", "--quiet", "-M", self.branch, at=self.clone)
        git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{self.branch}", at=self.clone)
        return sha


@dataclass(frozen=True)
class Seen:
    """One request that reached the server, whatever the answer was."""

    method: str
    path: str
    authorization: str


Behaviour = Callable[["_Handler"], None]


def serve(handler: _Handler) -> None:
    """Tokens are checked, git answers."""
    if handler.owner.token and handler.password() != handler.owner.token:
        handler.answer(401, b"unauthorized", {"WWW-Authenticate": 'Basic realm="git"'})
    else:
        handler.backend()


def hang(handler: _Handler) -> None:
    """Takes the request and says nothing until the server is stopped or behaves otherwise."""
    handler.owner.patience.wait()
    handler.close_connection = True


def nonsense(handler: _Handler) -> None:
    """An answer that has git's type and is none."""
    handler.answer(200, b"<html>" + os.urandom(64), {"Content-Type": "application/x-git-upload-pack-advertisement"})


def page(handler: _Handler) -> None:
    """A login page, as a proxy shows it."""
    handler.answer(200, b"<html>please log in</html>", {"Content-Type": "text/html"})


def unavailable(handler: _Handler) -> None:
    handler.answer(503, b"restarting")


def forbidden(handler: _Handler) -> None:
    handler.answer(403, b"you may not")


def refuse(message: Callable[[_Handler], str]) -> Behaviour:
    """Refuses in git's own protocol (gitprotocol-pack(5), ERR), in words that git repeats."""

    def behaviour(handler: _Handler) -> None:
        lines = ["# service=git-upload-pack\n", "", f"ERR {message(handler)}\n"]
        body = "".join(f"{len(line) + 4:04x}{line}" if line else "0000" for line in lines)
        handler.answer(200, body.encode(), {"Content-Type": "application/x-git-upload-pack-advertisement"})

    return behaviour


def redirect_to(url: str) -> Behaviour:
    """Sends every request elsewhere."""
    return lambda handler: handler.answer(302, b"", {"Location": url + handler.path})


class GitServer:
    """Serves the bare repositories below `root` as `<base>/<name>.git`, for reading and writing. `token` is any user's password.

    `certificate`: a PEM file with key and certificate makes it https.
    """

    def __init__(self, root: Path, token: str = "", certificate: Path | None = None) -> None:
        self.root = root
        self.token = token
        self.seen: list[Seen] = []
        self.behaviour: Behaviour = serve
        self.patience = threading.Event()
        self.environment = dict(os.environ)  # as it is now: a test may spoil it for others later
        root.mkdir(parents=True, exist_ok=True)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.base = f"http{'s' if certificate else ''}://127.0.0.1:{self._server.server_port}"

    def url(self, name: str = "config") -> str:
        return f"{self.base}/{name}.git"

    def repository(self, name: str = "config") -> Path:
        """Where the repository is on disk; may not exist yet."""
        return self.root / f"{name}.git"

    def behave(self, behaviour: Behaviour) -> None:
        """From the next request on. Requests that hang are let go."""
        self.behaviour = behaviour
        self.patience.set()
        self.patience = threading.Event()

    def stop(self) -> None:
        """Frees the port: what comes now is refused."""
        self.behave(unavailable)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    owner: GitServer
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed in the middle is what tests do."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def owner(self) -> GitServer:
        return self.server.owner

    def do_GET(self) -> None:
        self.owner.seen.append(Seen(self.command, self.path, self.headers.get("Authorization", "")))
        self.owner.behaviour(self)

    do_POST = do_GET  # noqa: N815 -- the name is the base class's

    def password(self) -> str:
        """The password of Basic authorization."""
        _, _, encoded = self.headers.get("Authorization", "").partition("Basic ")
        return base64.b64decode(encoded).decode().partition(":")[2]

    def backend(self) -> None:
        said = git_backend.answer(self, self.owner.root, urlsplit(self.path).path, self.owner.environment)
        self.answer(said.status, said.content, said.headers)

    def answer(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Tests look at `seen`."""


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    """A server on loopback without repositories; set its `token` to have one asked for."""
    server = GitServer(tmp_path / "server")
    yield server
    server.stop()


@pytest.fixture
def author(git_server: GitServer, tmp_path: Path) -> Author:
    """Has a clone of `git_server.url()`, and pushes to it past the HTTP server. Nothing is committed yet."""
    return Author(tmp_path / "author", git_server.repository())
