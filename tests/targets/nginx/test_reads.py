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
from tests.targets.nginx.subject import MAIN, PORT, NginxSubject

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


GOOD = f'server {{ listen {PORT}; server_name up.test; return 200 "rendered"; }}\n'


@pytest.mark.server
@pytest.mark.parametrize(
    ("rendered", "said"),
    [
        pytest.param("", "web.conf became empty and is not loaded", id="became empty"),
        pytest.param("upstream web {\n}\n", "no servers are inside upstream in {directory}/web.conf:2", id="without a server"),
        pytest.param("upstream web { server\n", "unexpected end of file.*in {directory}/web.conf:", id="cut off"),
    ],
)
def test_a_broken_upstream_never_reaches_nginx(tmp_path: Path, subject: NginxSubject, rendered: str, said: str) -> None:
    """What consul-template renders is none of the folder: the file is named, nginx goes on with what it loaded last."""
    directory = tmp_path / "upstreams"
    directory.mkdir()
    (directory / "web.conf").write_text(GOOD)
    main = MAIN.replace("include conf.d/*.conf;", f"include conf.d/*.conf; include {directory}/*.conf;")
    folder = {"nginx.conf": main.encode(), "conf.d/a.conf": subject.first["conf.d/a.conf"]}
    with subject.server.supervised():
        target = subject.target(reads=[str(directory)])
        converge(target, folder)
        assert subject.ask("up.test").body == b"rendered"
        workers = subject.server.workers()
        (directory / "web.conf").write_text(rendered)
        changed = {**folder, "conf.d/a.conf": subject.second["conf.d/a.conf"]}
        for files in (folder, changed):
            with pytest.raises(Unavailable, match=said.format(directory=directory)):
                converge(target, files, applied=folder)
        assert subject.ask("up.test").body == b"rendered"
        assert subject.ask("a.test").body == b"a1"
        assert subject.server.workers() == workers, "it was reloaded"
        (directory / "web.conf").write_text(GOOD.replace("rendered", "anew"))
        converge(target, folder, applied=folder)
        assert subject.ask("up.test").body == b"anew"
    subject.close()
