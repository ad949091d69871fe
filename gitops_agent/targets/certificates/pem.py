"""Certificates and keys as PEM: made, read and compared. The one module that knows the library."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes, PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_SKEW = timedelta(hours=1)
"""Clocks of those who look at a new certificate may be late."""


class NoPem(Exception):
    """What is no certificate, or no key, and why."""


@dataclass(frozen=True)
class Pair:
    """A certificate with what follows it in its file, and its key."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKeyTypes

    @property
    def leaf(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def expires(self) -> datetime:
        return self.leaf.not_valid_after_utc

    @property
    def lifetime(self) -> timedelta:
        return self.leaf.not_valid_after_utc - self.leaf.not_valid_before_utc - _SKEW

    @property
    def names(self) -> list[str]:
        """Host names and addresses it is for, sorted."""
        try:
            names = self.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return []
        return sorted({*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))})

    @property
    def for_clients(self) -> bool:
        try:
            uses = self.leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except x509.ExtensionNotFound:
            return False
        return ExtendedKeyUsageOID.CLIENT_AUTH in uses

    @property
    def belong_together(self) -> bool:
        return _public(self.leaf.public_key()) == _public(self.key.public_key())

    def issued_by(self, authority: Pair) -> bool:
        try:
            self.leaf.verify_directly_issued_by(authority.leaf)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True


def load(certificate: bytes, key: bytes) -> Pair:
    """Raises NoPem."""
    return Pair(tuple(_certificates(certificate)), load_key(key))


def load_key(key: bytes) -> PrivateKeyTypes:
    """Raises NoPem."""
    try:
        return serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise NoPem("is no private key in PEM, or has a passphrase") from None


def _certificates(certificate: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(certificate)
    except ValueError:
        raise NoPem("is no certificate in PEM") from None


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_text(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )  # as openssl writes it


def chain_text(chain: Sequence[x509.Certificate]) -> bytes:
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in chain)


def make_authority(key: PrivateKeyTypes, name: str, days: int, now: datetime) -> bytes:
    """A certificate that signs itself and may sign others, but no further authorities. Raises NoPem."""
    signer = _signer(key)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    public = signer.public_key()
    made = _begun(subject, subject, now, days).public_key(public)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    made = made.add_extension(_usage(signs_certificates=True), critical=True)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    return chain_text([made.sign(signer, _digest(key))])


def issue(authority: Pair, names: Sequence[str], days: int, now: datetime, *, client: bool) -> Pair:
    """A new key and its certificate, never valid for longer than the authority's own. Raises NoPem."""
    key = new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])] if len(names[0]) <= 64 else [])
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, *([ExtendedKeyUsageOID.CLIENT_AUTH] if client else [])]
    made = _begun(subject, authority.leaf.subject, now, days, latest=authority.expires).public_key(key.public_key())
    made = made.add_extension(x509.SubjectAlternativeName([*map(_general_name, names)]), critical=not [*subject])
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(_usage(signs_certificates=False), critical=True)
    made = made.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    made = made.add_extension(_authority_identifier(authority.leaf), critical=False)
    leaf = made.sign(_signer(authority.key), _digest(authority.key))
    # Who trusts the authority has its certificate; those between the two must be sent along.
    between = [certificate for certificate in authority.chain if certificate.subject != certificate.issuer]
    return Pair((leaf, *between), key)


def _begun(
    subject: x509.Name, issuer: x509.Name, now: datetime, days: int, latest: datetime | None = None
) -> x509.CertificateBuilder:
    end = now + timedelta(days=days)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).serial_number(x509.random_serial_number())
    return made.not_valid_before(now - _SKEW).not_valid_after(min(end, latest) if latest else end)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_identifier(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        known = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(_signer_public(authority))
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known)


def _signer_public(authority: x509.Certificate) -> ec.EllipticCurvePublicKey:
    return authority.public_key()  # type: ignore[return-value]  # any of the kinds that can sign will do


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _signer(key: PrivateKeyTypes) -> CertificateIssuerPrivateKeyTypes:
    if not hasattr(key, "sign"):
        raise NoPem("is a key that cannot sign")
    return key  # type: ignore[return-value]  # those that sign are issuers' keys


def _digest(key: PrivateKeyTypes) -> hashes.SHA256 | None:
    """Edwards curves bring their own."""
    return None if type(key).__name__.startswith(("Ed25519", "Ed448", "_Ed")) else hashes.SHA256()


def _public(key: object) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, form)  # type: ignore[attr-defined,no-any-return]
