"""Ports, and the sockets of unix and of systemd, that are listened on."""

from __future__ import annotations

import os
import socket
import stat
from typing import Any, Mapping, NamedTuple, Optional, Union

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.tcp import Port
from twisted.logger import Logger

from kasmd.config.values import Network
from kasmd.errors import ConfigError
from kasmd.http.acceptor import Acceptor

#: Connections that may wait to be accepted: a crowd that comes at once.
BACKLOG = 512

#: SD_LISTEN_FDS_START.
_FIRST_SYSTEMD_SOCKET = 3

_log = Logger()


class Interface(NamedTuple):
    """The address to listen on; ``::`` has both families, unless ``only_ipv6``."""

    address: str
    only_ipv6: bool = False

    def __str__(self) -> str:
        return f"[{self.address}]" if ":" in self.address else self.address


class _OnlyIpv6(Port):
    """A port that takes no IPv4."""

    def createInternetSocket(self) -> socket.socket:
        made: socket.socket = super().createInternetSocket()
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        return made


class Listening(Service):
    """A port that listens from the making of this until the service stops."""

    def __init__(self, port: Union[Port, Acceptor]) -> None:
        self._port = port

    @property
    def number(self) -> int:
        """The TCP port's number."""
        address = self._port.socket.getsockname()
        return int(address[1]) if isinstance(address, tuple) else 0

    @classmethod
    def tcp(cls, reactor: Any, key: str, number: int, interface: Interface,
            factory: IProtocolFactory) -> Listening:
        """Listen on TCP; ``key`` names the option to blame when that fails."""
        kind = _OnlyIpv6 if interface.only_ipv6 else Port
        port = kind(number, factory, BACKLOG, interface.address, reactor)
        try:
            port.startListening()
            return cls(port)
        except (CannotListenError, OSError) as error:
            cause = error.socketError if isinstance(error, CannotListenError) else error
            where = f"{interface.address}, port {number}"
            raise ConfigError(f"{key}: cannot listen on {where}: {cause.strerror}") from None

    @classmethod
    def unix(cls, reactor: Any, key: str, path: str, factory: IProtocolFactory,
             mode: int = 0o600) -> Listening:
        """Listen on a unix socket that, unless ``mode`` says more, only our user may open."""
        clear(key, path)
        before = os.umask(0o777 & ~mode)
        try:
            return cls(reactor.listenUNIX(path, factory, BACKLOG, mode))
        except CannotListenError as error:
            reason = error.socketError.strerror or error.socketError
            raise ConfigError(f"{key}: {path}: {reason}") from None
        finally:
            os.umask(before)

    @classmethod
    def systemd(cls, reactor: Any, key: str, name: str, factory: IProtocolFactory,
                environ: Mapping[str, str]) -> Listening:
        """Listen on a socket that systemd opened (sd_listen_fds(3)), by its FileDescriptorName."""
        names = environ.get("LISTEN_FDNAMES", "").split(":")
        ours = environ.get("LISTEN_PID") == str(os.getpid())
        if not ours or name not in names:
            raise ConfigError(f"{key}: systemd gave this process no socket called {name!a}")
        descriptor = _FIRST_SYSTEMD_SOCKET + names.index(name)
        acceptor = Acceptor(reactor, socket.socket(fileno=os.dup(descriptor)), factory)
        acceptor.startReading()
        return cls(acceptor)

    def share(self) -> socket.socket:
        """Leave the connections to others; give what they accept them on."""
        self._port.stopReading()
        shared: socket.socket = self._port.socket
        return shared

    def stopService(self) -> Optional[Deferred[None]]:
        """Stop listening."""
        super().stopService()
        return self._port.stopListening()


def interface_of(address: str, network: Network) -> Interface:
    """Give what to listen on; the address ``all`` is every one of the families in use."""
    if address != "all":
        return Interface(address)
    return Interface("::", not network.use_ipv4) if network.use_ipv6 else Interface("0.0.0.0")


def clear(key: str, path: str) -> None:
    """Remove what a killed daemon left; ConfigError if it is in use, or no socket."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise ConfigError(f"{key}: {path} is there and is no socket")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            probe.connect(path)
    except FileNotFoundError:
        return
    except ConnectionRefusedError:
        os.unlink(path)
        _log.info("removed the stale socket {path}", path=path)
    except OSError as error:
        raise ConfigError(f"{key}: {path}: {error.strerror or error}") from None
    else:
        raise ConfigError(f"{key}: {path} is in use by another process")
