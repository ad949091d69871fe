"""A real nginx with certificates by an authority of its own, for the looks at hostnames."""

from __future__ import annotations

import datetime as dt
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.nginx_workers import serving

_CONF = """
daemon off; pid {root}/pid; error_log {root}/log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
  uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
  ssl_certificate_key {root}/key.pem;
  server {{ listen 127.0.0.1:{port} ssl default_server; ssl_reject_handshake on; }}
{servers}
}}
"""
_SERVER = (
    "server {{ listen 127.0.0.1:{port} ssl; server_name {name}.localhost; ssl_certificate {root}/{name}.pem; return {status}; }}"
)


class Nginx:
    """Names below `localhost`, each with the status that it answers. `values` are those of a config repo."""

    def __init__(self, program: str, root: Path, port: int) -> None:
        self.root, self.port = root, port
        self._program = program
        self._key = ec.generate_private_key(ec.SECP256R1())
        pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (root / "key.pem").write_bytes(self._key.private_bytes(*pem))
        self._issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        (root / "certificates/current").mkdir(parents=True)
        (root / "certificates/current/ca.pem").write_bytes(self._made("ca", 60, ca=True))
        self.values: dict[str, Any] = {
            "root": str(root),
            "domain": "localhost",
            "publish": {"address": "127.0.0.1", "https": port},
            "hostnames": [{"name": "good"}],
        }
        self._process: subprocess.Popen[bytes] | None = None

    def sign(self, name: str, days: int) -> None:
        """A certificate for that name, which ends so many days from now."""
        made = self.root / f"{name}.new"  # a file of its own: nginx takes one that was rewritten within a second for the old one
        made.write_bytes(self._made(name, days))
        made.replace(self.root / f"{name}.pem")

    def serve(self, **names: int) -> None:
        """From now on these names, with certificates that are there already; every new connection sees it when this returns."""
        servers = [_SERVER.format(port=self.port, root=self.root, name=name, status=status) for name, status in names.items()]
        (self.root / "nginx.conf").write_text(_CONF.format(root=self.root, port=self.port, servers="\n".join(servers)))
        command = [self._program, "-p", str(self.root), "-e", str(self.root / "log"), "-c", str(self.root / "nginx.conf")]
        if self._process is None:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
            self._until(lambda: self._workers() != set())
        else:
            before = self._workers()
            subprocess.run([*command, "-s", "reload"], check=True, capture_output=True)
            self._until(lambda: bool(self._workers()) and not before & self._workers())

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def _workers(self) -> set[str]:
        """Those that take connections."""
        with socket.socket() as probe:
            if self._process is None or probe.connect_ex(("127.0.0.1", self.port)):
                return set()
        return serving(self._process.pid)

    def _until(self, condition: Any) -> None:
        ends = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < ends, (self.root / "log").read_text()
            time.sleep(0.02)

    def _made(self, name: str, days: int, *, ca: bool = False) -> bytes:
        now = dt.datetime.now(dt.UTC)
        subject = self._issuer if ca else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._issuer).public_key(self._key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=30))
        builder = builder.not_valid_after(now + dt.timedelta(days=days))
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(f"{name}.localhost")]), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
