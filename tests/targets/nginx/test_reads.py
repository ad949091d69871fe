"""nginx with certificates that another target issues: renewed ones are what it shows, without a push."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from gitops_agent.errors import Unavailable
from gitops_agent.target import Target
from tests.conformance.converge import converge, plan
from tests.conformance.subject import build
from tests.targets.nginx.subject import MAIN, NginxSubject

_CERTIFICATES = {"certificates.yaml": b"authority: {name: test}\ncertificates: {a.test: {}}"}


@pytest.fixture
def port(free_port: Callable[[], int]) -> int:
    return free_port()


@pytest.fixture
def subject(tmp_path: Path, binary: Callable[[str], str]) -> NginxSubject:
    return NginxSubject(tmp_path, binary("nginx"))


@pytest.fixture
def certificates(tmp_path: Path, subject: NginxSubject) -> Target:
    files = {"authority": f"{tmp_path}/ca.pem", "authority_key": f"{tmp_path}/ca-key.pem"}
    return build("certificates", {"directory": f"{tmp_path}/certificates", **files}, subject.site())


def _folder(tmp_path: Path, port: int) -> dict[str, bytes]:
    pair = f"ssl_certificate {tmp_path}/certificates/current/a.test.pem;"
    pair += f" ssl_certificate_key {tmp_path}/certificates/current/a.test-key.pem;"
    server = f"server {{ listen {port} ssl; server_name a.test; {pair} return 200 'over TLS'; }}"
    return {"nginx.conf": MAIN.encode(), "conf.d/a.conf": server.encode()}


def _shown(tmp_path: Path, port: int) -> int:
    """The serial number of what a client that trusts the authority is shown."""
    context = ssl.create_default_context(cafile=f"{tmp_path}/certificates/current/ca.pem")
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="a.test") as connection,
    ):
        shown = connection.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown).serial_number


@pytest.mark.server
def test_a_renewed_certificate_is_what_nginx_shows(tmp_path: Path, subject: NginxSubject, certificates: Target, port: int) -> None:
    folder, reads = _folder(tmp_path, port), [f"{tmp_path}/certificates"]
    with pytest.raises(Unavailable, match="cannot load certificate"):  # planned once more when it is nginx's turn
        plan(subject.target(reads=reads), folder)
    converge(certificates, _CERTIFICATES)
    with subject.server.supervised():
        nginx = subject.target(reads=reads)
        converge(nginx, folder)
        subject.ask("a.test")
        first = _shown(tmp_path, port)
        (tmp_path / "certificates/current/a.test.pem").unlink()
        converge(certificates, _CERTIFICATES, applied=_CERTIFICATES)
        assert _shown(tmp_path, port) == first, "nginx keeps what it has loaded"
        assert converge(nginx, folder, applied=folder)
        assert _shown(tmp_path, port) != first
        assert not plan(nginx, folder, applied=folder)
        subject.close()
