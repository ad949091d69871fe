"""hooks/post-receive with real pushes, in every shell and with every set of tools there is; the agent's own code judges it."""

from __future__ import annotations

import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from werkzeug.datastructures import Headers

from gitops_agent.settings import EnvironmentSettings
from gitops_agent.web.delivery import Push, delivery_id, followers, read, signers
from tests.gitserver import Author, git

HOOK = Path(__file__).parent.parent / "hooks" / "post-receive"
SECRET = "pâss 'word' %s\\n\"x"
SHELLS = [shell for shell in ("sh", "bash", "busybox sh") if shutil.which(shell.split()[0])]
NEEDED = ["sh", "git", "sed", "od", "tr", "cat", "date"]
TOOLS = [tools for tools in (("curl", "sha256sum"), ("curl", "openssl"), ("python3",)) if all(map(shutil.which, tools))]


@dataclass
class Agent:
    """Takes deliveries as the agent does: whoever signed rightly is answered 202."""

    secret_file: Path
    branch: str = "main"
    patience: threading.Event = field(default_factory=threading.Event)
    pushes: queue.Queue[Push | Exception] = field(default_factory=queue.Queue)
    address: str = ""

    def take(self, headers: Headers, body: bytes) -> None:
        settings = {
            "e": EnvironmentSettings(source="https://h/srv/config.git", branch=self.branch, webhook_secret_file=self.secret_file)
        }
        try:
            assert headers["Content-Type"] == "application/json"
            assert len(delivery_id(headers)) == 32
            push = read(headers, body)
            assert followers(push, settings, signers(settings, headers, body)) == ("e",)
        except Exception as error:  # noqa: BLE001 -- shown by the test that waits
            self.pushes.put(error)
        else:
            self.pushes.put(push)

    def next(self) -> Push | Exception:
        return self.pushes.get(timeout=10)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    (tmp_path / "secret").write_text(f"  {SECRET}\n")
    agent = Agent(tmp_path / "secret")
    agent.patience.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            agent.take(Headers(self.headers.items()), body)
            agent.patience.wait()
            self.send_response(202)
            self.end_headers()
            self.wfile.write(b'{"queued": ["e"]}')

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, args=(0.02,))
    serving.start()
    agent.address = f"http://127.0.0.1:{server.server_port}"
    yield agent
    agent.patience.set()
    server.shutdown()
    server.server_close()
    serving.join()


@pytest.fixture
def author(agent: Agent, tmp_path: Path) -> Author:
    """Pushes to `srv/config.git`, which has the hook and knows the agent."""
    author = Author(tmp_path / "author", tmp_path / "srv" / "config.git")
    install(author)
    git("config", "gitops.url", agent.address, at=author.remote)
    git("config", "gitops.secretFile", agent.secret_file, at=author.remote)
    return author


def install(author: Author, shell: str = "sh") -> None:
    hook = author.remote / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    program, *arguments = shell.split()
    hook.write_text(HOOK.read_text().replace("#!/bin/sh", f"#!{' '.join([str(shutil.which(program)), *arguments])}", 1))
    hook.chmod(0o755)


def said(author: Author) -> str:
    """What came of the last delivery; the hook ends after its push."""
    log = author.remote / "gitops-hook.log"
    deadline = time.monotonic() + 60
    while not (log.exists() and len(log.read_text().splitlines()) > 1):
        assert time.monotonic() < deadline, log.read_text() if log.exists() else "no log"
        time.sleep(0.01)
    return log.read_text()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("tools", TOOLS, ids=" ".join)
@pytest.mark.slow
def test_a_push_is_told_as_gitea_tells_it(
    shell: str, tools: tuple[str, ...], agent: Agent, author: Author, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(author, shell)
    (tmp_path / "bin").mkdir()
    for program in (*NEEDED, *tools):
        (tmp_path / "bin" / program).symlink_to(shutil.which(program) or pytest.fail(f"{program} is not here"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    author.push({"a": "1"})
    assert agent.next() == Push("srv/config", "main", test=False)
    assert '{"queued": ["e"]}' in said(author)


@pytest.mark.parametrize("length", [4, 63, 64, 65, 200])
def test_secrets_of_every_length_sign(length: int, agent: Agent, author: Author) -> None:
    """RFC 2104: a key longer than a block is hashed first."""
    agent.secret_file.write_text("x" * length)
    author.push({"a": "1"})
    assert agent.next() == Push("srv/config", "main", test=False)


def test_several_branches_with_odd_names(agent: Agent, author: Author) -> None:
    """Tags, notes and deletions are not told."""
    agent.branch = 'feature/"quoted"-ü'
    author.commit({"a": "1"})
    refs = ["refs/tags/v1", "refs/notes/gitops", f"refs/heads/{agent.branch}"]
    git("push", "--quiet", "origin", *(f"HEAD:{ref}" for ref in refs), at=author.clone)
    assert agent.next() == Push("srv/config", agent.branch.casefold(), test=False)
    git("push", "--quiet", "origin", ":refs/tags/v1", f":refs/heads/{agent.branch}", at=author.clone)
    agent.branch = "main"
    author.push({"a": "2"})
    assert agent.next() == Push("srv/config", "main", test=False)
    assert agent.pushes.empty()


def test_the_repository_may_have_another_name_for_the_agent(agent: Agent, author: Author, tmp_path: Path) -> None:
    shutil.move(author.remote, tmp_path / "elsewhere.git")
    git("remote", "set-url", "origin", tmp_path / "elsewhere.git", at=author.clone)
    git("config", "gitops.repository", "srv/config", at=tmp_path / "elsewhere.git")
    author.push({"a": "1"})
    assert agent.next() == Push("srv/config", "main", test=False)


def test_a_push_does_not_wait_for_the_agent(agent: Agent, author: Author) -> None:
    """The agent takes the delivery and never answers; the push returns all the same."""
    agent.patience.clear()
    author.push({"a": "1"})
    agent.next()
    assert not agent.patience.is_set()


@pytest.mark.parametrize(
    ("break_it", "why"),
    [
        (lambda author, agent: git("config", "--unset", "gitops.url", at=author.remote), "gitops.url is not set"),
        (lambda author, agent: git("config", "--unset", "gitops.secretFile", at=author.remote), "gitops.secretFile is not set"),
        (lambda author, agent: agent.secret_file.unlink(), "secret"),
        (lambda author, agent: agent.secret_file.write_text("\n"), "secret is empty"),
        (lambda author, agent: git("config", "gitops.url", "http://127.0.0.1:1", at=author.remote), "127.0.0.1"),
    ],
)
def test_a_push_succeeds_whatever_is_wrong(
    break_it: Callable[[Author, Agent], object], why: str, agent: Agent, author: Author
) -> None:
    break_it(author, agent)
    sha = author.push({"a": "1"})
    assert git("rev-parse", "main", at=author.remote) == sha
    assert why in said(author)
    assert agent.pushes.empty()


def test_the_secret_is_on_no_command_line(agent: Agent, author: Author, tmp_path: Path) -> None:
    """Every program the hook starts is traced by a shell that writes what it runs."""
    trace = tmp_path / "trace"
    hook = author.remote / "hooks" / "post-receive"
    wrapper = tmp_path / "bin"
    wrapper.mkdir()
    for program in ("curl", "sha256sum", "openssl", "sed", "od", "tr", "python3"):
        path = wrapper / program
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$0 $*" >>{trace}\nexec {shutil.which(program)} "$@"\n')
        path.chmod(0o755)
    hook.write_text(hook.read_text().replace("\nmoved=", f"\nPATH={wrapper}:$PATH\nmoved=", 1))
    author.push({"a": "1"})
    assert agent.next() == Push("srv/config", "main", test=False)
    said(author)
    assert "curl" in trace.read_text()
    assert "word" not in trace.read_text()


def test_the_shells_find_nothing_wrong_with_it() -> None:
    for shell in SHELLS:
        subprocess.run([*shell.split(), "-n", HOOK], check=True)
