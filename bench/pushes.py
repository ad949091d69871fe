"""From a push to what people wait for: a new answer of nginx, the commit's status; and what a start and a webhook cost."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench import raw
from bench.rows import Row, p50, p95, repeated, timed
from bench.running import Answers, Bench
from bench.stage import pss
from tests.worker.running import REPOSITORY, TOKEN, eventually


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


def memory(bench: Bench) -> Iterator[Row]:
    yield Row("memory after all this, renderer and git included (PSS)", pss(bench.agent.pid), "≤ 100", unit="MiB")
