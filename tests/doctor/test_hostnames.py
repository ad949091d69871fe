"""Hostnames through a real nginx: certificates by the agent's own authority, upstreams as consul-template writes them."""

from __future__ import annotations

import datetime as dt
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gitops_agent.doctor import hostnames
from tests.doctor.conftest import bad

pytestmark = [pytest.mark.server, pytest.mark.slow]
_CONF = """
daemon off; pid {root}/pid; error_log {root}/log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
  uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
  ssl_certificate_key {root}/key.pem;
  server {{ listen 127.0.0.1:{port} ssl; server_name good.localhost; ssl_certificate {root}/good.pem; return 204; }}
  server {{ listen 127.0.0.1:{port} ssl; server_name old.localhost; ssl_certificate {root}/old.pem; return 204; }}
  server {{ listen 127.0.0.1:{port} ssl; server_name away.localhost; ssl_certificate {root}/away.pem; return 502; }}
}}
"""


@pytest.fixture
def values(binary: Callable[[str], str], free_port: Callable[[], int], public_path: Path) -> Iterator[dict[str, Any]]:
    port = free_port()
    _certificates(public_path)
    (public_path / "nginx.conf").write_text(_CONF.format(root=public_path, port=port))
    command = [binary("nginx"), "-p", str(public_path), "-e", str(public_path / "log"), "-c", str(public_path / "nginx.conf")]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.02)
    publish = {"address": "127.0.0.1", "https": port}
    yield {"root": str(public_path), "domain": "localhost", "publish": publish, "hostnames": [{"name": "good"}]}
    server.terminate()
    server.wait()


def _certificates(root: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM
    (root / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    now = dt.datetime.now(dt.UTC)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    (root / "certificates/current").mkdir(parents=True)

    def made(name: str, days: int, *, ca: bool = False) -> bytes:
        subject = issuer if ca else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=30))
        builder = builder.not_valid_after(now + dt.timedelta(days=days))
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(f"{name}.localhost")]), critical=False)
        return builder.sign(key, hashes.SHA256()).public_bytes(pem)

    (root / "certificates/current/ca.pem").write_bytes(made("ca", 60, ca=True))
    for name, days in (("good", 30), ("old", -1), ("away", 30)):
        (root / f"{name}.pem").write_bytes(made(name, days))


def test_each_hostname_is_told_what_is_wrong_with_it(values: dict[str, Any]) -> None:
    wrong = bad(finding for finding in hostnames.look(values) if finding.what != "name resolution")
    assert wrong == {}
    values["hostnames"] = [{"name": name} for name in ("good", "old", "away", "missing")]
    wrong = bad(finding for finding in hostnames.look(values) if finding.what != "name resolution")
    assert sorted(wrong) == ["away.localhost", "missing.localhost", "old.localhost"]
    assert "certificate has expired" in wrong["old.localhost"]
    assert wrong["away.localhost"] == "answers 502: its backend is away"


def test_nobody_misses_what_this_mini_cloud_does_without(values: dict[str, Any]) -> None:
    values["hostnames"] = [{"name": "good"}, {"name": "away", "service": "pgadmin"}]
    values["without"] = ["pgadmin"]
    assert "away.localhost" not in bad(hostnames.look(values))


def test_an_upstream_without_an_instance(values: dict[str, Any]) -> None:
    directory = Path(values["root"], "upstreams/http")
    directory.mkdir(parents=True)
    values["hostnames"] = [{"name": "good", "consul": "example-server"}]
    file = directory / "example_server.conf"
    file.write_text("upstream example_server {\n    server 127.0.0.1:9 down; # keeps it valid\n}\n")
    assert "is empty" in bad(hostnames.look(values))["upstream of good.localhost"]
    file.write_text("upstream example_server {\n    server 127.0.0.1:9 down;\n    server 192.0.2.1:80 max_fails=0;\n}\n")
    assert "upstream of good.localhost" not in bad(hostnames.look(values))


def test_a_name_that_this_host_does_not_know(values: dict[str, Any]) -> None:
    values["hostnames"] = [{"name": "nowhere.invalid"}]
    (finding,) = [one for one in hostnames.look(values) if one.what == "name resolution"]
    assert finding.remedy == "echo '127.0.0.1 nowhere.invalid' | sudo tee -a /etc/hosts"
