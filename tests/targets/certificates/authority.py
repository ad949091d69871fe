"""An authority as people have one: made by openssl, not by the agent."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cryptography import x509


def openssl(*arguments: str | Path, given: str = "") -> str:
    done = subprocess.run(["openssl", *arguments], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Authority:
    """`rootCA.pem` and `rootCA-key.pem`, RSA, as mkcert writes them."""

    def __init__(self, directory: Path, name: str = "by hand") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.certificate, self.key = directory / "rootCA.pem", directory / "rootCA-key.pem"
        extensions = ("-addext", "basicConstraints=critical,CA:TRUE,pathlen:0", "-addext", "keyUsage=critical,keyCertSign")
        made = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", f"/CN={name}", *extensions)
        openssl(*made, "-keyout", self.key, "-out", self.certificate)

    def issue(self, directory: Path, name: str, names: list[str], days: int = 60) -> None:
        """`NAME.pem` and `NAME-key.pem`."""
        directory.mkdir(parents=True, exist_ok=True)
        key, certificate, request = directory / f"{name}-key.pem", directory / f"{name}.pem", directory / f"{name}.csr"
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        extensions = directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={','.join(f'DNS:{one}' for one in names)}\nextendedKeyUsage=serverAuth\n")
        signer = ("-CA", self.certificate, "-CAkey", self.key, "-set_serial", str(x509.random_serial_number()))
        openssl("x509", "-req", "-in", request, *signer, "-days", str(days), "-extfile", extensions, "-out", certificate)
        request.unlink()
        extensions.unlink()


def names_in(certificate: bytes) -> list[str]:
    (leaf, *_) = x509.load_pem_x509_certificates(certificate)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return sorted({*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))})
