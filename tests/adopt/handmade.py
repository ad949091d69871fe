"""A mini-cloud as people make them by hand.

Single files mounted, tags that float, one token in four environments, nginx reloaded by a loop in a shell, generated files
committed, copies beside the files, no name for the project.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.bootstrap.image import Image
from tests.targets.compose.engine import clear, containers, docker

_PREFIX = "gitops-agent-test/handmade"
_COMPOSE = """\
version: "3.8"
# no name: Compose takes the directory's
services:
  consul:
    image: {prefix}-consul:latest
    command: >-
      consul agent -server -bootstrap-expect=1 -bind=127.0.0.1 -client=0.0.0.0
      -data-dir=/consul/data -config-dir=/consul/config
    ports: ["127.0.0.1:{consul}:8500"]
    volumes:
      - ./consul:/consul/config
      - consul_data:/consul/data
  vault:
    image: {prefix}-vault
    command: bao server -dev -config=/vault/config
    environment:
      BAO_DEV_ROOT_TOKEN_ID: {root}
      BAO_DEV_LISTEN_ADDRESS: 0.0.0.0:8200
    ports: ["127.0.0.1:{vault}:8200"]
    volumes: ["./vault:/vault/config:ro"]
  nginx:
    image: {prefix}-nginx
    environment: {{CONSUL_HTTP_TOKEN: "${{CONSUL_HTTP_TOKEN}}"}}
    command: >-
      sh -c "while :; do sleep 10; nginx -p /data/ -c /etc/nginx/nginx.conf -s reload; done &
      exec nginx -p /data/ -c /etc/nginx/nginx.conf -g 'daemon off;'"
    ports: ["127.0.0.1:{nginx}:80"]
    volumes:
      - ./nginx/nginx.conf:/etc/nginx/nginx.conf
      - ./nginx/conf.d:/etc/nginx/conf.d
      - ./nginx/upstreams:/etc/nginx/upstreams:ro
      - ./nginx/certs/git.key:/etc/nginx/certs/git.key:ro
    depends_on: [consul]
  consul-template:
    image: {prefix}-consul-template:latest
    command: consul-template -config=/config/config.hcl
    environment:
      CONSUL_HTTP_TOKEN: ${{CONSUL_HTTP_TOKEN}}
    volumes:
      - ./consul-template/config.hcl:/config/config.hcl
      - ./consul-template/app.ctmpl:/config/app.ctmpl
      - ./nginx/upstreams:/out
  prometheus:
    image: {prefix}-prometheus:latest
    command: prometheus --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=/prometheus --web.enable-lifecycle
    environment:
      - CONSUL_HTTP_TOKEN=${{CONSUL_HTTP_TOKEN}}
    ports: ["127.0.0.1:{prometheus}:9090"]
    volumes:
      - ./prometheus/prometheus.yml:/etc/prometheus/prometheus.yml
      - ./prometheus/alerts.yml:/etc/prometheus/alerts.yml
      - prometheus_data:/prometheus
  app:
    image: {prefix}-app:latest
    command: sh -c "while :; do sleep 1; done"
    env_file: app.env
    environment:
      CONSUL_TOKEN: "{token}"
      DATABASE_URL: postgres://app:{password}@db/app
    volumes:
      - ./app/settings.ini:/settings.ini
      - ./app/uploads:/data/uploads
volumes:
  consul_data:
  prometheus_data: {{}}
"""
_NGINX = """\
worker_processes 1;
user root root;
events { worker_connections 64; }
http {
    access_log off;
    include /etc/nginx/conf.d/*.conf;
    include /etc/nginx/upstreams/*.conf;
    server { listen 80; location / { return 200 "first\\n"; } }
}
"""
_TEMPLATE_CONFIG = """\
consul { address = "consul:8500" }
template {
  source      = "/config/app.ctmpl"
  destination = "/out/app.conf"
}
"""
_TEMPLATE = 'upstream app { {{ range service "app" }}server {{ .Address }}:{{ .Port }};{{ else }}server 127.0.0.1:9;{{ end }} }\n'
# Not in CI, so that what is not looked at here is only a stand-in: it renders the same file again and again, as the real one does.
_STAND_IN = """\
#!/bin/sh
[ "$1" = --version ] && exit
while :; do echo 'upstream app { server 127.0.0.1:9; }' > /out/app.conf; sleep 1; done
"""
_PROMETHEUS = """\
global: {{scrape_interval: 15s}}
rule_files: [/etc/prometheus/alerts.yml]
scrape_configs:
  - job_name: consul
    metrics_path: /v1/agent/metrics
    params: {{format: [prometheus]}}
    authorization:
      credentials: {token}
    static_configs: [{{targets: ["consul:8500"]}}]
"""
_ALERTS = """\
groups:
  - name: all
    rules:
      - alert: Down
        expr: up == 0
        annotations: {summary: "{{ $labels.job }} is down"}
"""


class Handmade:
    """`directory` is what somebody once wrote; `token` opens Consul."""

    def __init__(self, parent: Path, free_port: Callable[[], int]) -> None:
        self.project = f"handmade{uuid.uuid4().hex[:8]}"
        self.directory = parent / self.project
        self.token = str(uuid.uuid4())
        self.password = secrets.token_urlsafe(18)
        self.smtp = f"Mail+{secrets.token_hex(8)}"
        self.key = _private_key()
        self.root = str(uuid.uuid4())
        self.ports = {name: free_port() for name in ("consul", "vault", "nginx", "prometheus")}

    @property
    def secrets(self) -> set[str]:
        return {self.token, self.password, self.smtp, self.root, self.key.rstrip("\n")}

    def write(self) -> None:
        named = {**self.ports, "prefix": _PREFIX, "token": self.token, "password": self.password, "root": self.root}
        acl = {"enabled": True, "default_policy": "deny", "tokens": {"master": self.token, "agent": self.token}}
        for path, text in {
            "docker-compose.yml": _COMPOSE.format(**named),
            ".env": f"# shared by all\nCONSUL_HTTP_TOKEN={self.token}\n",
            "app.env": f"SMTP_PASSWORD={self.smtp}\nLOG_LEVEL=debug\n",
            "consul/server.json": json.dumps({"acl": acl, "disable_update_check": True}, indent=2),
            "consul/server.json.bak": "{}",
            "vault/extra.hcl": 'log_level = "info"\n',
            "nginx/nginx.conf": _NGINX,
            "nginx/conf.d/git.conf": "server { listen 81; return 200 'git'; }\n",
            "nginx/certs/git.key": self.key,
            "nginx/upstreams/app.conf": "upstream app { server 127.0.0.1:9; }\n",
            "nginx/sites-old/blog.conf": "server { listen 82; }\n",
            "consul-template/config.hcl": _TEMPLATE_CONFIG,
            "consul-template/app.ctmpl": _TEMPLATE,
            "prometheus/prometheus.yml": _PROMETHEUS.format(token=self.token),
            "prometheus/alerts.yml": _ALERTS,
            "app/settings.ini": f"[database]\npassword = {self.password}\nname = app\n",
            "app/uploads/cat.txt": "a cat",
            "notes.txt": "call Bob",
        }.items():
            (self.directory / path).parent.mkdir(parents=True, exist_ok=True)
            (self.directory / path).write_text(text)

    def up(self) -> None:
        """As a person does: in the directory, without a name."""
        done = subprocess.run(["docker", "compose", "up", "-d"], cwd=self.directory, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        places = {"consul": "v1/status/leader", "vault": "v1/sys/health", "nginx": "", "prometheus": "-/ready"}
        for name, path in places.items():
            self.wait(name, path)

    def down(self) -> None:
        clear(self.project)

    def seen(self) -> dict[str, Any]:
        """All that a takeover must not change: which containers run and since when, and the very files that people wrote."""
        running = {name: (found["Id"], found["State"]["StartedAt"]) for name, found in containers(self.project).items()}
        files = {}
        for path in sorted(self.directory.rglob("*")):
            if path.is_file() and ".gitops-agent" not in path.parts and "upstreams" not in path.parts:
                status = path.stat()
                files[str(path)] = (status.st_ino, status.st_mtime_ns, status.st_mode, path.read_bytes())
        return {"containers": running, "files": files}

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def fill(self) -> None:
        """What somebody once put into Consul and Vault by hand."""
        consul = {"X-Consul-Token": self.token}
        for key, value in {"shop/motd": "Hello {{ name }}", "shop/db/password": self.password, "shop/banner": "a\nb\n"}.items():
            self._put("consul", f"v1/kv/{key}", value.encode(), consul)
        self._put("consul", "v1/acl/policy", {"Name": "shop", "Rules": 'key_prefix "shop/" { policy = "read" }'}, consul)
        self._put("consul", "v1/acl/role", {"Name": "shop", "Policies": [{"Name": "shop"}]}, consul)
        self._put("consul", "v1/acl/token", {"Description": "the shop", "Roles": [{"Name": "shop"}]}, consul)
        self._put("consul", "v1/acl/token", {"Description": "for a day", "ExpirationTTL": "24h"}, consul)
        self._put("consul", "v1/config", {"Kind": "service-defaults", "Name": "shop", "Protocol": "http"}, consul)
        vault = {"X-Vault-Token": self.root}
        self._put("vault", "v1/sys/policies/acl/shop", {"policy": 'path "secret/data/shop" { capabilities = ["read"] }'}, vault)
        self._put("vault", "v1/sys/auth/approle", {"type": "approle", "description": "for programs"}, vault)
        self._put("vault", "v1/auth/approle/role/shop", {"token_policies": ["shop"], "token_period": "24h"}, vault)
        self._put("vault", "v1/secret/data/shop", {"data": {"password": self.password}}, vault)

    def indexes(self) -> dict[str, int]:
        """When each key of Consul was written last."""
        asked = Request(f"{self.address('consul')}/v1/kv/?recurse=true", headers={"X-Consul-Token": self.token})
        with urlopen(asked, timeout=10) as answer:
            return {row["Key"]: row["ModifyIndex"] for row in json.loads(answer.read())}

    def _put(self, name: str, path: str, body: Any, headers: dict[str, str]) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        with urlopen(Request(f"{self.address(name)}/{path}", data, headers, method="PUT"), timeout=10):
            pass

    def tag(self, name: str, tag: str) -> None:
        docker("tag", f"{_PREFIX}-{name}:latest", f"{_PREFIX}-{name}:{tag}")

    def image(self, name: str) -> str:
        """How the image of a service's container is named."""
        return str(self._config(name)["Image"])

    def environment(self, name: str) -> dict[str, str]:
        return dict(entry.split("=", 1) for entry in self._config(name)["Env"])

    def _config(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = containers(self.project)[f"{name}-1"]["Config"]
        return found

    def page(self) -> str:
        """What nginx answers."""
        with urlopen(self.address("nginx"), timeout=10) as answer:
            return str(answer.read().decode().strip())

    def wait(self, name: str, path: str) -> None:
        url = f"{self.address(name)}/{path}"
        deadline = time.monotonic() + 60
        while True:
            try:
                with urlopen(url, timeout=2) as answer:
                    if answer.status == 200 and answer.read() != b'""':
                        return
            except OSError:
                pass
            assert time.monotonic() < deadline, docker("compose", "-p", self.project, "logs", "--tail", "20", check=False)
            time.sleep(0.2)


def make_images() -> None:
    programs = {"consul": ["consul"], "vault": ["bao"], "nginx": ["nginx"], "prometheus": ["prometheus", "promtool"], "app": []}
    for name, needed in programs.items():
        image = Image()
        for program in needed:
            image.program(program)
        image.directory("/data")
        image.make(f"{_PREFIX}-{name}:latest")
    image = Image()
    image.text("/bin/consul-template", _STAND_IN, 0o755)
    image.make(f"{_PREFIX}-consul-template:latest")


def _private_key() -> str:
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
