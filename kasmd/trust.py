"""Whose TLS is believed: a server is known by its key, or by who signed its certificate."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import SSL
from service_identity import VerificationError
from service_identity.pyopenssl import verify_hostname, verify_ip_address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from kasmd.errors import KasmdError


class Untrusted(KasmdError):
    """A server is not the one that was meant, or nobody can say."""


class Trust(NamedTuple):
    """How a server's certificate is checked; without any of these it is not."""

    #: SHA-256 of the certificate's public key (SubjectPublicKeyInfo).
    pin: bytes = b""
    #: A PEM file with the authorities that may have signed it.
    authorities: str = ""
    #: The name it must have; blank: the server's host.
    name: str = ""


@implementer(IOpenSSLClientConnectionCreator)
class TlsClient:
    """Makes the TLS half of a connection; the name goes with its first message (SNI)."""

    def __init__(self, authorities: str, name: str) -> None:
        self._context = _context(authorities, _written(authorities))
        self._name = name

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Give one connection."""
        connection = SSL.Connection(self._context, None)
        if self._name and not is_address(self._name):
            connection.set_tlsext_host_name(self._name.encode("idna"))
        return connection


@implementer(IOpenSSLClientConnectionCreator)
class AnonymousTlsClient:
    """TLS with a server that shows no certificate; TLS 1.3 has no such thing."""

    def __init__(self) -> None:
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._context.set_min_proto_version(SSL.TLS1_2_VERSION)
        self._context.set_max_proto_version(SSL.TLS1_2_VERSION)
        self._context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
        self._context.set_cipher_list(b"aNULL:!eNULL:@SECLEVEL=0")

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Give one connection."""
        return SSL.Connection(self._context, None)


def check_certificate(connection: SSL.Connection, trust: Trust, name: str) -> None:
    """Raise Untrusted unless the server showed what ``trust`` wants to see."""
    if trust.pin:
        certificate = connection.get_peer_certificate(as_cryptography=True)
        assert certificate is not None, "a TLS server always shows one"
        key = certificate.public_key()
        info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        found = hashlib.sha256(info).digest()
        if found != trust.pin:
            raise Untrusted(f"its key is {found.hex()}")
    if trust.authorities:
        verify = verify_ip_address if is_address(name) else verify_hostname
        try:
            verify(connection, name)
        except VerificationError:
            raise Untrusted(f"its certificate is not {name}'s") from None


@lru_cache(maxsize=1024)
def is_address(host: str) -> bool:
    """Tell whether ``host`` is an IP address, not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _written(path: str) -> int:
    """Tell when a file was written: one that changes is read again."""
    try:
        return os.stat(path).st_mtime_ns if path else 0
    except OSError as problem:
        raise Untrusted(f"{path}: {problem.strerror}") from None


@lru_cache(maxsize=64)
def _context(path: str, written: int) -> SSL.Context:
    """Give the context that asks the authorities in ``path``; blank: none (Untrusted)."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    if not path:
        context.set_verify(SSL.VERIFY_NONE)
        return context
    try:
        context.load_verify_locations(path)
    except SSL.Error:
        raise Untrusted(f"{path} holds no certificates") from None
    context.set_verify(SSL.VERIFY_PEER)
    return context
