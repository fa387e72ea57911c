"""Checks a server's TLS certificate and key before the server starts to listen."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dq_pipelines.errors import ConfigError, Problem

if TYPE_CHECKING:
    from cryptography import x509

_CERT, _KEY = "dq serve --tls-cert", "dq serve --tls-key"


@dataclass(frozen=True)
class Certificate:
    """A certificate with its chain, and its private key: two files in PEM."""

    chain: Path
    key: Path
    #: the first DNS name in it that is no wildcard; "" for none
    name: str = ""

    @classmethod
    def checked(cls, chain: Path | None, key: Path | None) -> Certificate | None:
        """The checked pair; None if neither is given.

        Raises ConfigError for one without the other, and for files that are unreadable, do not match or are not valid now.
        """
        if chain is None and key is None:
            return None
        if chain is None or key is None:
            raise _wrong(f"{_CERT if chain is None else _KEY}: wanted both a certificate and its key, got one of them")
        texts = _read(chain, _CERT), _read(key, _KEY)
        return cls(chain, key, _name(_check(chain, key, *texts)))


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _wrong(f"{option}: wanted a file that can be read, got {path}: {error.strerror}") from None


def _check(chain: Path, key: Path, pem: bytes, secret: bytes) -> x509.Certificate:
    """The checked certificate; raises ConfigError."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise _wrong(f"{_CERT}: wanted a certificate in PEM, got something else in {chain}") from None
    try:
        private = load_pem_private_key(secret, password=None)
    except TypeError:
        raise _wrong(f"{_KEY}: wanted a key without a passphrase, got one with a passphrase in {key}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _wrong(f"{_KEY}: wanted a private key in PEM, got something else in {key}") from None
    encoding = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if certificates[0].public_key().public_bytes(*encoding) != private.public_key().public_bytes(*encoding):
        raise _wrong(f"{_KEY}: wanted the key of {chain}, got that of another certificate in {key}")
    _must_be_valid(chain, certificates)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key)
    except (ssl.SSLError, OSError) as error:
        raise _wrong(f"{_CERT}: wanted a certificate that TLS accepts, got {chain}: {error}") from None
    return certificates[0]


def _name(certificate: x509.Certificate) -> str:
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ""
    return next((name for name in names.get_values_for_type(x509.DNSName) if "*" not in name), "")


def _must_be_valid(chain: Path, certificates: Sequence[x509.Certificate]) -> None:
    now = datetime.now(UTC)
    for certificate in certificates:
        if certificate.not_valid_after_utc < now:
            raise _wrong(
                f"{_CERT}: wanted a certificate that is valid now, got one in {chain} that expired at "
                f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
            )
        if certificate.not_valid_before_utc > now:
            raise _wrong(
                f"{_CERT}: wanted a certificate that is valid now, got one in {chain} that is not before "
                f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
            )


def _wrong(message: str) -> ConfigError:
    return ConfigError([Problem("", 0, message)])
