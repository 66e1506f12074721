"""The certificate that new connections get: read again when its files change."""

from __future__ import annotations

import os
from typing import Optional, Union

from OpenSSL import SSL
from twisted.internet.interfaces import (
    IAddress,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from kasmd.errors import ConfigError

_log = Logger(namespace="kasmd.http")
_Path = Union[str, "os.PathLike[str]"]
#: Seconds between two looks at the files.
LOOK_INTERVAL = 1.0

_Identity = tuple[tuple[int, int, int], ...]


@implementer(IOpenSSLServerConnectionCreator)
class CertificateFiles:
    """A certificate chain and its key, two PEM files or twice the same one.

    A pair that is wrong at the start raises `ConfigError`; one that becomes
    wrong later is logged once, and the last good pair is used on.
    """

    def __init__(self, reactor: IReactorTime, certificate: _Path, key: _Path) -> None:
        self._reactor = reactor
        self._certificate = os.fspath(certificate)
        self._key = os.fspath(key)
        self._looked = reactor.seconds()
        self._identity = self._look()
        self._context = self._load()

    @property
    def files(self) -> tuple[str, str]:
        """The certificate's and the key's, for another process."""
        return self._certificate, self._key

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Give a connection with the present certificate."""
        now = self._reactor.seconds()
        if now - self._looked >= LOOK_INTERVAL:
            self._looked = now
            self._refresh()
        return SSL.Connection(self._context, None)

    def _refresh(self) -> None:
        identity = self._look()
        if identity == self._identity:
            return
        self._identity = identity
        try:
            self._context = self._load()
        except ConfigError as error:
            _log.error("The old certificate stays in use: {error}", error=error)
        else:
            _log.info("The certificate {path} was read again", path=self._certificate)

    def _look(self) -> Optional[_Identity]:
        try:
            found = [os.stat(path) for path in (self._certificate, self._key)]
        except OSError:
            return None
        return tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in found)

    def _load(self) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
        context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        # Who says nothing keeps no room for records: 34 KiB less for an idle viewer.
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        # The key first: one that does not belong to the certificate would be no key at all.
        for path, use in (
            (self._key, context.use_privatekey_file),
            (self._certificate, context.use_certificate_chain_file),
        ):
            try:
                with open(path, "rb"):
                    use(path)
            except OSError as error:
                raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
            except SSL.Error:
                raise ConfigError(f"{path}: is not a PEM file of the right kind") from None
        try:
            context.check_privatekey()
        except SSL.Error:
            raise ConfigError(
                f"{self._key}: is not the key of the certificate {self._certificate}"
            ) from None
        return context


class TlsFactory(ServerFactory[TLSMemoryBIOProtocol]):
    """Speaks TLS for another factory, which may have no room for one more."""

    noisy = False

    def __init__(self, tls: IOpenSSLServerConnectionCreator, inner: IProtocolFactory) -> None:
        self._inner = inner
        self._wrapping = TLSMemoryBIOFactory(tls, False, inner)

    def buildProtocol(self, addr: Optional[IAddress]) -> Optional[TLSMemoryBIOProtocol]:
        inner = None if addr is None else self._inner.buildProtocol(addr)
        return None if inner is None else self._wrapping.protocol(self._wrapping, inner)
