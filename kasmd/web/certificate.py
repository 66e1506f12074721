"""The self-signed certificate that a daemon without one makes for itself."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
from pathlib import Path
from typing import Optional

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.logger import Logger

from kasmd.errors import ConfigError

_log = Logger(namespace="kasmd.web")
LIFETIME = datetime.timedelta(days=397)
#: A certificate with less than this left is replaced at start.
RENEWAL = datetime.timedelta(days=30)
FILE_NAME = "self-signed.pem"


def self_signed(directory: Path, now: datetime.datetime) -> Path:
    """Give a file with a certificate for this machine and its key, made if need be.

    ``now`` is aware.  The file is 0600 from its creation and replaced whole, so
    certificate and key always belong together.  A new certificate is for the same
    key, which others may have pinned.  Raises `ConfigError`.
    """
    path = directory / FILE_NAME
    try:
        found = _read(path)
        if found is None or not _is_good(found[0], now):
            key = found[1] if found else ec.generate_private_key(ec.SECP256R1())
            _write(path, _make(now, key))
            _log.info("Made a self-signed certificate: {path}", path=str(path))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be made: {error.strerror}") from None
    return path


def _read(path: Path) -> Optional[tuple[x509.Certificate, ec.EllipticCurvePrivateKey]]:
    try:
        pem = path.read_bytes()
        certificate = x509.load_pem_x509_certificate(pem)
        key = serialization.load_pem_private_key(pem, password=None)
    except (FileNotFoundError, ValueError):
        return None
    return (certificate, key) if isinstance(key, ec.EllipticCurvePrivateKey) else None


def _is_good(certificate: x509.Certificate, now: datetime.datetime) -> bool:
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEWAL


def _make(now: datetime.datetime, key: ec.EllipticCurvePrivateKey) -> bytes:
    host = socket.gethostname()[:64] or "localhost"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(_alternative_names(host), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _alternative_names(host: str) -> x509.SubjectAlternativeName:
    names = [x509.DNSName(name) for name in dict.fromkeys(("localhost", host)) if name.isascii()]
    addresses = [x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1")]
    return x509.SubjectAlternativeName([*names, *addresses])


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
