"""Key pairs as Concourse reads them."""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa as algorithm

_BITS = 4096


def rsa() -> str:
    """A private key in PKCS#1 PEM, which signs sessions."""
    return _key(serialization.PrivateFormat.TraditionalOpenSSL)


def ssh() -> str:
    """A private key as ssh-keygen writes it: in PEM, which every version of Concourse reads."""
    return _key(serialization.PrivateFormat.TraditionalOpenSSL)


def public(private: str) -> str:
    """The other half of a private key, as in authorized_keys."""
    key = serialization.load_pem_private_key(private.encode(), None)
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def _key(form: serialization.PrivateFormat) -> str:
    key = algorithm.generate_private_key(public_exponent=65537, key_size=_BITS)
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
