"""Ports, and the sockets of unix and of systemd."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from kasmd.config.values import Network
from kasmd.errors import ConfigError
from kasmd.listening import Interface, Listening, clear, interface_of
from tests.test_startup import Case


class ListeningTests(Case):
    def test_a_port_listens_until_the_service_stops(self) -> None:
        port = Listening.tcp(reactor, "key", 0, Interface("127.0.0.1"), Factory())
        with socket.create_connection(("127.0.0.1", port.number)):
            pass
        return port.stopService()

    def test_all_addresses_are_those_of_the_families_in_use(self) -> None:
        for network, interface, said in (
            (Network(), Interface("::"), "[::]"),
            (Network(use_ipv6=False), Interface("0.0.0.0"), "0.0.0.0"),
            (Network(use_ipv4=False), Interface("::", only_ipv6=True), "[::]"),
        ):
            self.assertEqual(interface_of("all", network), interface)
            self.assertEqual(str(interface), said)
            self.assertEqual(interface_of("192.0.2.1", network), Interface("192.0.2.1"))

    async def test_ipv4_can_be_kept_out(self) -> None:
        both = Listening.tcp(reactor, "key", 0, Interface("::"), Factory())
        with socket.create_connection(("127.0.0.1", both.number)):
            pass
        one = Listening.tcp(reactor, "key", 0, Interface("::", only_ipv6=True), Factory())
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", one.number))
        await both.stopService()
        await one.stopService()

    def test_a_used_port_names_its_key(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            number = other.getsockname()[1]
            with self.assertRaises(ConfigError) as caught:
                Listening.tcp(reactor, "some.port", number, Interface("127.0.0.1"), Factory())
        self.assertEqual(
            str(caught.exception),
            f"some.port: cannot listen on 127.0.0.1, port {number}: Address already in use",
        )

    def test_a_unix_socket_where_none_can_be_is_told(self) -> None:
        missing = str(self.folder / "missing" / "viewers")
        long = str(self.folder / ("x" * 120))
        for path, reason in (missing, "No such file or directory"), (long, "AF_UNIX path too long"):
            with self.assertRaises(ConfigError) as caught:
                Listening.unix(reactor, "some.socket", path, Factory())
            self.assertEqual(str(caught.exception), f"some.socket: {path}: {reason}")


class SocketPathTests(Case):
    """What lies where the socket is to be."""

    def setUp(self) -> None:
        super().setUp()
        self.path = str(self.folder / "viewers")

    def clear(self) -> None:
        clear("some.socket", self.path)

    def refused(self) -> str:
        with self.assertRaises(ConfigError) as caught:
            self.clear()
        return str(caught.exception)

    def test_nothing(self) -> None:
        self.clear()

    def test_what_a_killed_daemon_left_is_removed(self) -> None:
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(self.path)
        self.clear()
        self.assertFalse(os.path.lexists(self.path))

    def test_what_is_in_use_is_left_alone(self) -> None:
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(self.path)
            other.listen()
            self.assertEqual(
                self.refused(), f"some.socket: {self.path} is in use by another process"
            )
        self.assertTrue(os.path.lexists(self.path))

    def test_what_is_no_socket_is_left_alone(self) -> None:
        Path(self.path).write_text("mine")
        self.assertEqual(
            self.refused(), f"some.socket: {self.path} is there and is no socket"
        )
        self.assertEqual(Path(self.path).read_text(), "mine")


class SystemdTests(TestCase):
    """A socket that systemd opened, which stays systemd's."""

    async def test_a_unix_socket_keeps_its_mode_and_its_place(self) -> None:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = Path(folder) / "s"
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(str(path))
            opened.listen()
            path.chmod(0o600)
            # The first of systemd's descriptors is 3.
            names = [*["other"] * (opened.fileno() - 3), "web"]
            environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": ":".join(names)}
            came: Deferred[None] = Deferred()

            class Arrival(Protocol):
                def connectionMade(self) -> None:
                    self.transport.abortConnection()

                def connectionLost(self, reason: Failure = connectionDone) -> None:
                    came.callback(None)

            factory = Factory.forProtocol(Arrival)
            port = Listening.systemd(reactor, "listen", "web", factory, environ)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                await came
            self.assertEqual(port.number, 0)
            port.stopService()
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
