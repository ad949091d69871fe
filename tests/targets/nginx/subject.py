"""nginx as the conformance suite sees it: files on the disk, and what it answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from gitops_agent.model import Files
from tests.conformance.subject import AdoptableSubject, AilingSubject, Seen
from tests.targets.nginx.server import Answer, Server, ask_until_it_answers


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


PORT = _free_port()
HOSTS = ("a.test", "b.test", "c.test", "theirs.test")
TEMPORARY = "".join(f"{kind}_temp_path temp;\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
MAIN = f"""worker_processes 2;
pid nginx.pid;
error_log error.log;
events {{}}
http {{
{TEMPORARY}access_log off;
server {{ listen {PORT} default_server; return 404; }}
include conf.d/*.conf;
}}
"""


def site(host: str, body: str, extra: str = "") -> bytes:
    header = f'    add_header X-Extra "{extra}";\n' if extra else ""
    return f'server {{\n    listen {PORT};\n    server_name {host};\n{header}    return 200 "{body}";\n}}\n'.encode()


class NginxSubject(AilingSubject):
    """`switch`, on this host."""

    kind = "nginx"
    publish = "switch"
    first: ClassVar[Files] = {
        "nginx.conf": MAIN.encode(),
        "conf.d/a.conf": site("a.test", "a1", "still here"),
        "conf.d/b.conf": site("b.test", "b1"),
    }
    second: ClassVar[Files] = {
        "nginx.conf": MAIN.encode(),
        "conf.d/a.conf": site("a.test", "a2", "still here"),
        "conf.d/c.conf": site("c.test", "c1"),
    }
    without: ClassVar[Files] = {**first, "conf.d/a.conf": site("a.test", "a1")}
    garbage: ClassVar[Mapping[str, Files]] = {
        "unknown directive": {**first, "conf.d/b.conf": b"server {\n  foo bar;\n}\n"},
        "cut off": {**first, "conf.d/b.conf": b"server {\n"},
    }

    def __init__(self, directory: Path, binary: str) -> None:
        super().__init__(directory)
        self.binary = binary
        self.published = directory / "published"
        self.server = Server(binary, directory / "prefix", self.live / "nginx.conf")

    @property
    def live(self) -> Path:
        return self.published / "current"

    def settings(self) -> dict[str, Any]:
        return {
            "directory": str(self.published),
            "publish": self.publish,
            "binary": self.binary,
            "prefix": f"{self.server.prefix}/",
            "secrets": ["file:*"],
        }

    def look(self) -> Mapping[str, Seen]:
        found = {}
        for path in sorted(self.live.rglob("*")):
            below = path.relative_to(self.live)
            if path.is_file() and ".gitops-agent" not in below.parts:
                status = path.stat()
                found[f"disk:{below}"] = Seen(path.read_bytes(), (status.st_ino, status.st_mtime_ns))
        if (self.live / "nginx.conf").exists():
            answers = {host: self.ask(host) for host in HOSTS}
            found |= {f"answers:{host}": Seen(answer, None) for host, answer in answers.items() if answer.status == 200}
        return found

    def ask(self, host: str) -> Answer:
        return ask_until_it_answers(PORT, host)

    def expected(self, files: Files) -> Mapping[str, Any]:
        said = {"a1": ("a.test", b"a1"), "a2": ("a.test", b"a2"), "b1": ("b.test", b"b1"), "c1": ("c.test", b"c1")}
        answers = {}
        for content in files.values():
            for mark, (host, body) in said.items():
                if f'"{mark}"'.encode() in content:
                    answers[f"answers:{host}"] = Answer(200, body, "still here" if b"still here" in content else None)
        return {**{f"disk:{path}": content for path, content in files.items()}, **answers}

    def tamper(self) -> None:
        with (self.live / "conf.d/a.conf").open("ab") as file:
            file.write(b"# by hand\n")

    def vandalise(self) -> None:
        (self.live / "conf.d/b.conf").unlink()

    def with_secret(self, placeholder: str) -> Files:
        return {**self.first, "conf.d/secret.conf": f"# {placeholder}\n".encode()}

    @contextmanager
    def ailing(self) -> Iterator[None]:
        with self.server.down():
            yield


class InPlaceSubject(NginxSubject, AdoptableSubject):
    """`in-place`, on this host, beside files of somebody else, and with absolute includes."""

    publish = "in-place"

    def __init__(self, directory: Path, binary: str) -> None:
        super().__init__(directory, binary)
        (self.published / "conf.d").mkdir(parents=True)
        (self.published / "mime.types").write_bytes(b"types { text/plain txt; }\n")
        (self.published / "conf.d/theirs.conf").write_bytes(site("theirs.test", "theirs"))

    @property
    def live(self) -> Path:
        return self.published

    @property
    def bystanders(self) -> frozenset[str]:
        return frozenset({"disk:mime.types", "disk:conf.d/theirs.conf"})

    def look(self) -> Mapping[str, Seen]:
        return {name: seen for name, seen in super().look().items() if name != "answers:theirs.test"}

    def plant(self, files: Files) -> None:
        for path, content in files.items():
            (self.live / path).parent.mkdir(parents=True, exist_ok=True)
            (self.live / path).write_bytes(content)
