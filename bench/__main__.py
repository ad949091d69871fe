"""Measures, and prints a table: what was measured, how long, what raw calls need, the ratio, and what was promised."""

from __future__ import annotations

import argparse
import hashlib
import hmac
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench import raw
from bench.stage import NGINX_CONF, CountingProxy, ask, consul, free_port, nginx, pss
from tests.fakes.gitea import FakeGitea
from tests.gitserver import GitServer
from tests.worker.running import REPOSITORY, TOKEN, Running, eventually

KEYS = 1000


@dataclass(frozen=True)
class Row:
    """`value` and `raw` in ms unless `unit` says otherwise."""

    name: str
    value: float
    goal: str = ""
    raw: float | None = None
    unit: str = "ms"

    def __str__(self) -> str:
        ratio = f"{self.value / self.raw:6.2f}" if self.raw else " " * 6
        raw_text = f"{self.raw:9.1f}" if self.raw is not None else " " * 9
        return f"{self.name:<58}{self.value:9.1f} {self.unit:<4}{raw_text}  {ratio}  {self.goal}"


def p50(values: list[float]) -> float:
    return statistics.median(values) * 1000


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1] * 1000


class Answers:
    """Asks a page all the time, each time over a new connection, and notes what was answered when."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stopped = threading.Event()
        self.seen: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Answers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._stopped.is_set():
            began = time.time()
            self.seen.append((began, ask(self._url)))
            time.sleep(0.0005)

    def first(self, text: str) -> float:
        return next(moment for moment, answer in self.seen if answer == text)

    def last_other(self, text: str) -> float:
        return max(moment for moment, answer in self.seen if answer != text)


class Bench:
    def __init__(self, base: Path, rounds: int, stack: ExitStack) -> None:
        self.base = base
        self.rounds = rounds
        self.git_server = GitServer(base / "git", TOKEN)
        stack.callback(self.git_server.stop)
        self.gitea = stack.enter_context(FakeGitea())
        self.port = free_port()
        self.directory = base / "nginx"
        self.directory.mkdir()
        self.url = stack.enter_context(nginx(self.directory, self.port))
        self.consul_port = stack.enter_context(consul(base))
        self.proxy = stack.enter_context(CountingProxy(self.consul_port))
        self.agent = Running(base, self.git_server, self.gitea, free_port())
        stack.callback(self.agent.stop)
        self.agent.configure(targets=self._targets(), poll=3600, resync=86400)
        self.ref = self.git_server.repository(REPOSITORY) / "refs/heads/main"

    def _targets(self) -> str:
        return f"""
[[environments.test.targets]]
kind = "nginx"
name = "nginx"
directory = "{self.directory}"
prefix = "{self.directory}"
[[environments.test.targets]]
kind = "consul"
name = "consul"
address = "http://127.0.0.1:{self.proxy.listen}"
prefix = "bench/"
"""

    def conf(self, version: str) -> str:
        return NGINX_CONF.format(directory=self.directory, port=self.port, version=version)

    def keys(self, value: str) -> str:
        return "".join(f"key-{number:04}: {value}-{number}\n" for number in range(KEYS))

    def push(self, files: dict[str, str]) -> tuple[str, float]:
        """The commit, and when its ref was moved."""
        sha = self.agent.author.push(files)
        return sha, self.ref.stat().st_mtime

    def said(self, sha: str, context: str = "gitops/test") -> float:
        """When Gitea got the commit's final status."""
        self.agent.settled(sha)
        posts = [request for request in self.gitea.requests if request.method == "POST" and request.path.endswith(sha)]
        return next(post.at for post in posts if post.body["context"] == context and post.body["state"] == "success")

    def last_run(self) -> tuple[float, str]:
        """Seconds of the newest finished run, and its id."""
        run = next(run for run in self.agent.api("/runs")["runs"] if run["ended"])
        return (datetime.fromisoformat(run["ended"]) - datetime.fromisoformat(run["started"])).total_seconds(), run["id"]


def cold_start(bench: Bench) -> Iterator[Row]:
    bench.push({"nginx/nginx.conf": bench.conf("1"), "consul/kv.yaml": bench.keys("a")})
    times = []
    for number in range(4):
        started = time.perf_counter()
        bench.agent.start()
        if number:  # the first start has everything to apply and a cold disk
            times.append(time.perf_counter() - started)
        eventually(lambda: bench.agent.environment()["last_applied_revision"])
        if number < 3:
            bench.agent.stop()
    python = timed([sys.executable, "-c", "pass"], 5)
    yield Row("cold start until /readyz says so", p50(times), "≤ 1000", python)
    yield Row("gitops-agent --help", timed([str(Path(sys.executable).parent / "gitops-agent"), "--help"], 7), "< 300", python)


def timed(command: list[str], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return p50(times)


def webhook(bench: Bench) -> Iterator[Row]:
    secret = b"secret-of-the-webhook"
    sha = bench.agent.author.commit({})
    body = {"ref": "refs/heads/main", "before": sha, "after": sha, "repository": {"full_name": REPOSITORY}}

    def deliver(port: int, number: int) -> None:
        payload = json.dumps({**body, "number": number}).encode()
        headers = {
            "Content-Type": "application/json",
            "X-Gitea-Event": "push",
            "X-Gitea-Delivery": f"bench-{number}",
            "X-Gitea-Signature": hmac.new(secret, payload, hashlib.sha256).hexdigest(),
        }
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/webhook/gitea", payload, headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status != 202:
            raise RuntimeError(f"webhook: {answer.status}")

    with bare_server() as port:
        raw_times = repeated(lambda number: deliver(port, number), bench.rounds * 10)
    times = repeated(lambda number: deliver(bench.agent.port, number), bench.rounds * 10)
    yield Row("webhook → 202, p50, a connection each", p50(times), "", p50(raw_times))
    yield Row("webhook → 202, p95", p95(times), "≤ 10", p95(raw_times))


def repeated(work: Callable[[int], None], rounds: int) -> list[float]:
    times = []
    for number in range(rounds):
        started = time.perf_counter()
        work(number)
        times.append(time.perf_counter() - started)
        time.sleep(0.01)  # below the rate limit
    return times


@contextmanager
def bare_server() -> Iterator[int]:
    """Answers 202 and does nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def push_to_served(bench: Bench) -> Iterator[Row]:
    first, every, status = [], [], []
    bench.agent.settled(bench.push({"nginx/nginx.conf": bench.conf("warm")})[0])
    for number in range(bench.rounds):
        text = f"version {number}\n"
        with Answers(bench.url) as answers:
            sha, moved = bench.push({"nginx/nginx.conf": bench.conf(str(number))})
            status.append(bench.said(sha) - moved)
            time.sleep(0.1)
        first.append(answers.first(text) - moved)
        every.append(answers.last_other(text) - moved)
    raw_times = raw_push_to_served(bench)
    raw_first, raw_status = ([each[name] for each in raw_times] for name in ("served", "status"))
    yield Row("ref moved → first new answer of nginx, p50", p50(first), "≤ 110", p50(raw_first))
    yield Row("ref moved → every answer new, p50", p50(every), "≤ 200")
    yield Row("ref moved → final commit status, p50", p50(status), "≤ 250", p50(raw_status))


def raw_push_to_served(bench: Bench) -> list[dict[str, float]]:
    bench.agent.stop()
    mirror = bench.base / "raw.git"
    subprocess.run(["git", "init", "-q", "--bare", mirror], check=True)
    statuses = f"{bench.gitea.url}/api/v1/repos/{REPOSITORY}/statuses/"
    source = bench.git_server.url(REPOSITORY).replace("http://", f"http://bot:{TOKEN}@")
    times = []
    for number in range(bench.rounds):
        _, moved = bench.push({"nginx/nginx.conf": bench.conf(f"raw{number}")})
        began = time.time()
        done = raw.push_to_served(mirror, source, bench.directory, bench.url, f"raw{number}", (statuses, TOKEN), began)
        del moved  # `git push` took its time to return; the raw calls begin then
        times.append(done)
        time.sleep(0.15)
    bench.agent.start()
    return times


def consul_keys(bench: Bench) -> Iterator[Row]:
    changed, raw_changed = [], []
    for number in range(max(3, bench.rounds // 3)):
        sha, _ = bench.push({"consul/kv.yaml": bench.keys(f"v{number}")})
        bench.agent.settled(sha)
        changed.append(bench.last_run()[0])
        values = dict(line.split(": ") for line in bench.keys(f"v{number}").splitlines())
        raw_changed.append(raw.consul_keys(bench.consul_port, values))
    yield Row(f"{KEYS} Consul keys changed, whole run, p50", p50(changed), "≤ 400", p50(raw_changed))
    bench.proxy.requests.clear()
    unchanged, raw_unchanged = [], []
    for _ in range(max(3, bench.rounds // 3)):
        before = bench.last_run()[1]
        bench.agent.api("/environments/test/sync", {})
        eventually(lambda before=before: bench.last_run()[1] != before)
        eventually(lambda: bench.agent.environment()["current"] is None)
        unchanged.append(bench.last_run()[0])
        raw_unchanged.append(raw.consul_keys(bench.consul_port, values))
    calls = len(bench.proxy.requests) / len(unchanged)
    yield Row(f"{KEYS} Consul keys unchanged, whole run, p50", p50(unchanged), "≤ 100", p50(raw_unchanged))
    yield Row("requests to Consul of such a run", calls, "2", unit="")


def memory(bench: Bench) -> Iterator[Row]:
    yield Row("memory after all this, renderer and git included (PSS)", pss(bench.agent.pid), "≤ 100", unit="MiB")


def main() -> None:
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    rounds = parser.parse_args().rounds
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        base.chmod(0o755)
        bench = Bench(base, rounds, stack)
        print(f"{'':<58}{'':>9}     {'raw':>9}   ratio  goal")
        for measure in (cold_start, webhook, push_to_served, consul_keys, memory):
            for row in measure(bench):
                print(row, flush=True)


if __name__ == "__main__":
    main()
