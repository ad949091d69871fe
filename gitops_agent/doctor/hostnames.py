"""Every hostname of the values answers through nginx, with a certificate that is trusted and has time left, and is known here."""

from __future__ import annotations

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
from gitops_agent.doctor.stack import Stack
from gitops_agent.targets.compose import own

_SOON = 7 * 86400.0
"""Seconds that a certificate must have left: the agent renews long before that."""
_TIMEOUT = 4.0
_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 -- what is published, not where we listen
_EXPIRED, _MISMATCH = 10, 62
"""What OpenSSL finds wrong with a certificate."""


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


def full(host: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    name = str(host["name"])
    return name if "." in name else f"{name}.{values['domain']}"


def look(values: Mapping[str, Any], stack: Stack) -> Findings:
    authority = Path(values["root"]) / "certificates/current/ca.pem"
    try:
        context = ssl.create_default_context(cafile=str(authority) if authority.exists() else None)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # from Python 3.13 on stricter than browsers are
    except ssl.SSLError:
        yield Finding("hostnames", "authority", False, f"{authority} is no certificate", "gitops-agent sync")
        return
    published = values["publish"]
    address = "127.0.0.1" if published["address"] in _EVERYWHERE else published["address"]
    place = _reachable((address, published["https"]), ("nginx", 443))
    if place is None:
        said = f"nothing listens at {address}:{published['https']}"
        yield Finding("hostnames", "nginx", False, said, f"docker start {stack.container('nginx')}; {stack.logs('nginx')}")
        return
    there = [host for host in values["hostnames"] if host.get("service") not in values.get("without", ())]
    with ThreadPoolExecutor(len(there) or 1, "hostname") as pool:
        yield from pool.map(lambda host: _answers(host, full(host, values), place, context, stack), there)
    yield resolved([full(host, values) for host in there], address, container=bool(own.container()))


def _reachable(*places: tuple[str, int]) -> tuple[str, int] | None:
    """On the host nginx is where it is published, in the agent's container it is a name."""
    for place in places:
        try:
            socket.create_connection(place, timeout=1).close()
        except OSError:
            continue
        return place
    return None


def _answers(host: Mapping[str, Any], name: str, place: tuple[str, int], context: ssl.SSLContext, stack: Stack) -> Finding:
    found = partial(Finding, "hostnames", name)
    path = host.get("probe", "/")
    connection = _Through(name, place, context)
    try:
        connection.connect()
        ends = ssl.cert_time_to_seconds(str((connection.sock.getpeercert() or {})["notAfter"]))
        connection.request("GET", path)
        status = connection.getresponse().status
    except ssl.SSLError as error:
        return found(False, *_untrusted(error, stack))
    except (OSError, HTTPException) as error:
        why = cause(error) if isinstance(error, OSError) else str(error)
        return found(False, f"does not answer: {why}", stack.logs("nginx"))
    finally:
        connection.close()
    if status >= 500:
        backend = stack.logs(host["service"]) if "service" in host else f"its upstream below; curl -v https://{name}{path}"
        return found(False, f"answers {status}: its backend is away", backend)
    left = ends - time.time()
    said = f"answers {status}, certificate for {moments.duration(left)}"
    return found(left > _SOON, said, "" if left > _SOON else _renewal(stack))


def _untrusted(error: ssl.SSLError, stack: Stack) -> tuple[str, str]:
    """What is said, and what to do."""
    code = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else 0
    if error.reason == "TLSV1_UNRECOGNIZED_NAME" or code == _MISMATCH:
        return "nginx has no server for it", "add it to `hostnames:` of values/common.yaml, and push; gitops-agent sync"
    if code == _EXPIRED:
        return "its certificate has expired", _renewal(stack)
    why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error.reason or error)
    return f"its certificate is not trusted: {why}", _renewal(stack)


def _renewal(stack: Stack) -> str:
    return f"gitops-agent sync renews it; {stack.inside('nginx', 'nginx -s reload')}"


def resolved(names: list[str], address: str, *, container: bool) -> Finding:
    """Whether this host knows the names; `container`: whether it is one, and can only say what the host would need."""
    unknown = []
    for name in names:
        try:
            socket.getaddrinfo(name, 443)
        except OSError:
            unknown.append(name)
    if not unknown:
        return Finding("hostnames", "name resolution", True, "this host knows every name")
    line = f"{address} {' '.join(unknown)}"
    if container:  # which reads neither the host's /etc/hosts nor, always, its name servers
        return Finding("hostnames", "name resolution", True, f"is the host's affair; where it does not know them: {line}")
    said = f"{len(unknown)} of {len(names)} names are not known on this host"
    return Finding("hostnames", "name resolution", False, said, f"echo '{line}' | sudo tee -a /etc/hosts")
