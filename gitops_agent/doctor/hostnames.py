"""Every hostname of the values answers through nginx, with a certificate that is trusted and has time left, and has a backend."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any

from gitops_agent import moments
from gitops_agent.api import cause
from gitops_agent.doctor.finding import Finding, Findings

_SOON = 7 * 86400.0
"""Seconds that a certificate must have left: the agent renews long before that."""
_TIMEOUT = 4.0
_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 -- what is published, not where we listen


class _Through(HTTPSConnection):
    """HTTPS to a name, by way of an address of nginx."""

    def __init__(self, name: str, place: tuple[str, int], context: ssl.SSLContext) -> None:
        super().__init__(name, timeout=_TIMEOUT, context=context)
        self._place, self._trust = place, context

    def connect(self) -> None:
        plain = socket.create_connection(self._place, timeout=_TIMEOUT)
        try:
            self.sock = self._trust.wrap_socket(plain, server_hostname=self.host)
        except OSError:
            plain.close()
            raise


def look(values: Mapping[str, Any]) -> Findings:
    root = Path(values["root"])
    authority = root / "certificates/current/ca.pem"
    try:
        context = ssl.create_default_context(cafile=str(authority) if authority.exists() else None)
    except ssl.SSLError:
        yield Finding("hostnames", "authority", False, f"{authority} is no certificate", "gitops-agent sync")
        return
    published = values["publish"]
    address = "127.0.0.1" if published["address"] in _EVERYWHERE else published["address"]
    place = _reachable((address, published["https"]), ("nginx", 443))
    if place is None:
        said = f"nothing listens at {address}:{published['https']}"
        yield Finding("hostnames", "nginx", False, said, f"docker start {values.get('project', '')}-nginx-1")
        return
    names = [
        (host, f"{host['name']}" if "." in host["name"] else f"{host['name']}.{values['domain']}")
        for host in values["hostnames"]
        if host.get("service") not in values.get("without", ())
    ]
    with ThreadPoolExecutor(len(names), "hostname") as pool:
        yield from pool.map(lambda one: _answers(one[1], one[0].get("probe", "/"), place, context), names)
    for host, name in names:
        if service := host.get("consul"):
            yield _upstream(root / "upstreams/http", service, name)
    yield from _resolved([name for _, name in names], address)


def _reachable(*places: tuple[str, int]) -> tuple[str, int] | None:
    """On the host nginx is where it is published, in the agent's container it is a name."""
    for place in places:
        try:
            socket.create_connection(place, timeout=1).close()
        except OSError:
            continue
        return place
    return None


def _answers(name: str, path: str, place: tuple[str, int], context: ssl.SSLContext) -> Finding:
    found = partial(Finding, "hostnames", name)
    connection = _Through(name, place, context)
    try:
        connection.connect()
        ends = ssl.cert_time_to_seconds(str((connection.sock.getpeercert() or {})["notAfter"]))
        connection.request("GET", path)
        status = connection.getresponse().status
    except ssl.SSLCertVerificationError as error:
        return found(False, f"its certificate is not valid: {error.verify_message}", "gitops-agent sync renews it; nginx -s reload")
    except (OSError, HTTPException) as error:
        why = cause(error) if isinstance(error, OSError) else str(error)
        return found(False, f"does not answer: {why}", "is it in `hostnames:` of values/? gitops-agent sync")
    finally:
        connection.close()
    if status >= 500:
        return found(False, f"answers {status}: its backend is away", f"docker logs of the backend; curl -v https://{name}{path}")
    left = ends - time.time()
    said = f"answers {status}, certificate for {moments.duration(left)}"
    return found(left > _SOON, said, "" if left > _SOON else "gitops-agent sync renews it")


def _upstream(directory: Path, service: str, name: str) -> Finding:
    """consul-template writes a server that is `down` for a group without instances: nginx would not start with none."""
    file = directory / f"{service.replace('-', '_').replace('.', '_')}.conf"
    found = partial(Finding, "hostnames", f"upstream of {name}")
    try:
        servers = re.findall(r"^\s*server\s+(\S+)(?![^;]*\bdown\b)[^;]*;", file.read_text(), re.MULTILINE)
    except OSError as error:
        return found(False, f"{file}: {error.strerror}", "docker logs of consul-template")
    if not servers:
        return found(
            False, f"is empty: Consul knows no healthy {service}", f"nomad job status; consul catalog nodes -service={service}"
        )
    return found(True, ", ".join(servers))


def _resolved(names: list[str], address: str) -> Findings:
    unknown = []
    for name in names:
        try:
            socket.getaddrinfo(name, 443)
        except OSError:
            unknown.append(name)
    if unknown:
        line = f"{address} {' '.join(unknown)}"
        said = f"{len(unknown)} of {len(names)} names are not known on this host"
        yield Finding("hostnames", "name resolution", False, said, f"echo '{line}' | sudo tee -a /etc/hosts")
    else:
        yield Finding("hostnames", "name resolution", True, "this host knows every name")
