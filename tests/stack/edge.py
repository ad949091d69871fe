"""nginx of the stack, for real: the rendered folder, certificates for its names, and a client that trusts them."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gitops_agent.model import Files
from tests.nginx_workers import serving
from tests.stack.backends import NETWORK, waited

_ADDRESS = f"{NETWORK}.254"


@dataclass(frozen=True)
class Ports:
    http: int
    https: int
    health: int
    tcp: int


class Edge:
    """nginx as it is in its container, but for addresses and user: `listen 80` is a port of this test's own."""

    def __init__(self, program: Path, root: Path, ports: Ports) -> None:
        self.root = root
        self.ports = ports
        self._program = program
        self._ca = root / "certificates/current/ca.pem"

    def publish(self, files: Files) -> None:
        """As the agent would, but at once."""
        self.prepare(files)
        current = self.root / "nginx/current"
        current.mkdir(parents=True, exist_ok=True)
        for name, content in self.here(files).items():
            (current / name).write_bytes(content)

    def prepare(self, files: Files) -> None:
        """Certificates, and the directories that others write."""
        for name in ("http", "stream"):
            (self.root / "upstreams" / name).mkdir(parents=True, exist_ok=True)
        issue(yaml.safe_load(files["certificates/certificates.yaml"]), self._ca.parent)

    def here(self, files: Files) -> Files:
        """The folder nginx/, for this host."""
        folder = {path.removeprefix("nginx/"): content for path, content in files.items() if path.startswith("nginx/")}
        return {path: self._here(content.decode()).encode() for path, content in folder.items()}

    def _here(self, text: str) -> str:
        for port, own in ((80, self.ports.http), (443, self.ports.https), (2222, self.ports.tcp)):
            text = re.sub(rf"\blisten {port}\b", f"listen {_ADDRESS}:{own}", text)
        text = text.replace("https://127.0.0.1:443", f"https://{_ADDRESS}:{self.ports.https}")
        text = text.replace("127.0.0.1:8081", f"{_ADDRESS}:{self.ports.health}").replace("user nginx;", "")
        return text.replace("pid /run/nginx.pid;", f"pid {self.root}/nginx.pid;")

    def run(self, *more: str) -> list[str]:
        return [str(self._program), "-p", f"{self.root}/", "-e", "stderr", "-c", f"{self.root}/nginx/current/nginx.conf", *more]

    @contextmanager
    def running(self) -> Iterator[None]:
        with (self.root / "log").open("wb") as log:
            nginx = subprocess.Popen(self.run("-g", "daemon off;"), stdout=log, stderr=log)
            try:
                assert waited(self._healthy), (self.root / "log").read_text()
                yield
            finally:
                nginx.terminate()
                nginx.wait(10)

    def reload(self) -> None:
        """Returns when every answer is a new worker's."""
        before = self._workers()
        done = subprocess.run(self.run("-s", "reload"), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert waited(lambda: not before & self._workers())

    def _workers(self) -> set[str]:
        return serving((self.root / "nginx.pid").read_text().strip())

    def _healthy(self) -> bool:
        with suppress(OSError):
            return self._plain(self.ports.health, "localhost", "/healthz").body == b"ok\n"
        return False

    def plain(self, name: str, path: str = "/") -> Answer:
        return self._plain(self.ports.http, name, path)

    def _plain(self, port: int, name: str, path: str) -> Answer:
        connection = http.client.HTTPConnection(_ADDRESS, port, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": name})
            response = connection.getresponse()
            return Answer(response.status, response.read(), response.headers.get("Location", ""))
        finally:
            connection.close()

    def secure(self, name: str) -> ssl.SSLSocket:
        """A connection that was shown a certificate for `name`, signed by the CA."""
        context = ssl.create_default_context(cafile=str(self._ca))
        plain = socket.create_connection((_ADDRESS, self.ports.https), timeout=10)
        try:
            return context.wrap_socket(plain, server_hostname=name)
        except OSError:
            plain.close()
            raise

    def ask(self, name: str, path: str = "/", method: str = "GET", body: bytes | None = None, host: str = "") -> Answer:
        """TLS asks for `name`, HTTP for `host`, if that is another."""
        connection = http.client.HTTPConnection(name, timeout=30)
        connection.sock = self.secure(name)
        try:
            connection.request(method, path, body=body, headers={"Host": host or name})
            response = connection.getresponse()
            return Answer(response.status, response.read())
        finally:
            connection.close()

    def tcp(self) -> bytes:
        with socket.create_connection((_ADDRESS, self.ports.tcp), timeout=10) as connection:
            return connection.recv(100)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    location: str = ""

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


def issue(declared: dict[str, Any], directory: Path) -> None:
    """What the target `certificates` publishes."""
    directory.mkdir(parents=True, exist_ok=True)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, declared["authority"]["name"])])
    now = datetime.now(UTC)

    def certificate(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
        builder = builder.not_valid_after(now + timedelta(days=1))
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
        return builder.add_extension(identifier, critical=False)

    ca = certificate(issuer, ca_key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    ca = ca.add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    ca = ca.add_extension(usage, critical=True)
    _write(directory / "ca.pem", ca.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    for name, wanted in declared["certificates"].items():
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(each) for each in wanted["names"]])
        leaf = certificate(x509.Name([]), key).add_extension(names, critical=True).sign(ca_key, hashes.SHA256())
        _write(directory / f"{name}.pem", leaf.public_bytes(serialization.Encoding.PEM))
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        _write(directory / f"{name}-key.pem", private)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
