"""Composition: introduces the parts to one another, and is the only one to know them all."""

from __future__ import annotations

import datetime
import getpass
import os
import socket
import time
from functools import partial
from pathlib import Path
from typing import Any, Optional

from twisted.application.service import IService, MultiService
from twisted.internet.interfaces import IProtocolFactory
from twisted.python import usage

from kasmd.config.load import load
from kasmd.config.values import Configuration, Network
from kasmd.display.programs import check_installed
from kasmd.display.service import DesktopService, DesktopSettings
from kasmd.display.x11 import X11Display
from kasmd.errors import KasmdError
from kasmd.http.tls import CertificateFiles
from kasmd.interfaces import ISeat, IViewerTransport
from kasmd.permission.accounts import FileAccounts
from kasmd.permission.checkers import Authenticator
from kasmd.permission.lockout import Lockout
from kasmd.permission.registry import Registry
from kasmd.permission.seat import Hold, Seat
from kasmd.rfb.limits import Limits as WireLimits
from kasmd.rights import NOTHING, Right
from kasmd.startup import Farewell, Listening, StateDirectory, Watching, first_account
from kasmd.viewer.native import AnonymousTls, CertifiedTls, Contexts, ViewerFactory
from kasmd.viewer.protocol import Surroundings, Viewer
from kasmd.viewer.roster import Roster
from kasmd.viewer.sharing import Encodings
from kasmd.viewer.turns import Turns
from kasmd.viewer.worker import ThreadWorker
from kasmd.web.certificate import self_signed
from kasmd.web.site import Plain, find_novnc, make_site, page_mounts, parse_origins
from kasmd.web.static import Mount

#: What a grant is asked for.
DESKTOP = "desktop"


class Options(usage.Options):
    """``twistd kasmd``: all but the file's name is in the file."""

    synopsis = "[--config FILE]"
    longdesc = "A desktop in any browser, for many people at once. See etc/kasmd.yaml."
    optParameters = [["config", "c", None, "The configuration; without one, the defaults hold."]]


def makeService(options: Options) -> IService:
    """Give the daemon; a wrong value ends the process with a line that says which."""
    from twisted.internet import reactor

    try:
        return compose(load(options["config"], os.environ), reactor)
    except KasmdError as error:
        raise SystemExit(f"kasmd: {error}") from None


def compose(configuration: Configuration, reactor: Any) -> MultiService:
    """Make the daemon of these values; it listens when this returns.

    Raises ConfigError or AccountsError, and then nothing is left behind.
    """
    daemon = MultiService()
    state = StateDirectory(Path(configuration.state_directory))
    state.setServiceParent(daemon)
    accounts = _accounts(configuration, state, reactor)
    accounts.setServiceParent(daemon)
    registry = Registry(accounts, NOTHING if configuration.desktop.allow_resize else Right.RESIZE)
    protection = configuration.security.brute_force_protection
    authenticator = Authenticator(
        accounts,
        Lockout(protection.blacklist_threshold, protection.blacklist_timeout),
        ThreadWorker(reactor),
        time.monotonic,
    )
    display = _display(configuration, state, reactor, daemon)
    hold = Hold()

    def admit(principal: str) -> ISeat:
        return Seat(display, registry.admit(principal, DESKTOP), hold)

    roster = Roster()
    limits = configuration.limits
    around = Surroundings(
        admit=admit,
        authenticate=authenticator.authenticate,
        roster=roster,
        encodings=Encodings(),
        turns=Turns(reactor),
        clock=reactor,
        limits=WireLimits(cut_text=limits.clipboard_bytes, clipboard=limits.clipboard_bytes),
        handshake_time=limits.handshake_seconds,
        patience=limits.stalled_viewer_seconds,
        max_viewers=limits.viewers,
    )
    Farewell(roster).setServiceParent(daemon)
    tls = _certificate(configuration, state, reactor)
    site = make_site(
        reactor,
        authenticator=authenticator,
        registry=registry,
        roster=roster,
        make_viewer=partial(_viewer, around),
        mounts=_mounts(configuration),
        headers=configuration.server.http.headers,
        allowed_origins=parse_origins(configuration.site.allowed_origins),
        target=DESKTOP,
        tls=tls,
        plain=Plain(configuration.site.plain_http),
    )
    _listen(configuration, site, reactor, daemon)
    _listen_natively(configuration, around, tls, reactor, daemon)
    return daemon


def _accounts(configuration: Configuration, state: StateDirectory, reactor: Any) -> FileAccounts:
    """Give the password file's accounts; with no file at all, one is made."""
    path = configuration.server.advanced.kasm_password_file
    if os.path.exists(path):
        _tell(f"accounts are in {path}")
    else:
        _tell(*first_account(path, state.path))
    return FileAccounts(reactor, path)


def _display(configuration: Configuration, state: StateDirectory, reactor: Any,
             daemon: MultiService) -> X11Display:
    """Give the display: a running one, or one of our own that lives with the daemon."""
    settings, size = configuration.display, configuration.desktop.resolution
    display = X11Display(
        reactor,
        settings.x11 or "",
        configuration.server.advanced.x_authority_file,
        configuration.legacy.desktop_name or f"{socket.gethostname()} ({getpass.getuser()})",
        configuration.encoding.max_frame_rate,
        (size.width, size.height),
        configuration.limits.clipboard_bytes,
    )
    if settings.x11:
        Watching(display).setServiceParent(daemon)
        return display
    own = DesktopSettings(
        str(state.path),
        size.width,
        size.height,
        settings.max_resolution.width,
        settings.max_resolution.height,
        settings.xvfb,
        settings.window_manager,
        settings.terminal,
    )
    for command in (own.xvfb, own.window_manager, own.terminal):
        if command:
            check_installed(command)
    desktop = DesktopService(reactor, own, display)
    desktop.setServiceParent(daemon)
    return display


def _certificate(configuration: Configuration, state: StateDirectory,
                 reactor: Any) -> CertificateFiles:
    """Give the configured certificate, or one of our own making."""
    ssl = configuration.network.ssl
    if ssl.pem_certificate is None:
        now = datetime.datetime.now(datetime.timezone.utc)
        own = self_signed(state.path, now)
        return CertificateFiles(reactor, own, own)
    return CertificateFiles(reactor, ssl.pem_certificate, ssl.pem_key or ssl.pem_certificate)


def _mounts(configuration: Configuration) -> tuple[Mount, ...]:
    """Give what the site serves: our page, or the operator's folder in its place."""
    folder = configuration.server.http.httpd_directory
    if folder is not None:
        return (Mount(b"/", Path(folder)),)
    novnc = configuration.site.novnc_directory
    return page_mounts(find_novnc(Path(novnc) if novnc else None))


def _viewer(around: Surroundings, transport: IViewerTransport, principal: Optional[str]) -> Viewer:
    return Viewer(transport, principal, around)


def _address(interface: str, network: Network) -> str:
    """Give the address to listen on; ``::`` has both families."""
    if interface == "all":
        return "::" if network.use_ipv6 else "0.0.0.0"
    return interface


def _listen(configuration: Configuration, site: IProtocolFactory, reactor: Any,
            daemon: MultiService) -> None:
    network = configuration.network
    address = _address(network.interface, network)
    port = Listening.tcp(
        reactor, "network.websocket_port", network.websocket_port, address, site
    )
    port.setServiceParent(daemon)
    host = f"[{address}]" if ":" in address else address
    _tell(f"https://{host}:{port.number}/")


def _listen_natively(configuration: Configuration, around: Surroundings, tls: CertificateFiles,
                     reactor: Any, daemon: MultiService) -> None:
    """Listen for viewers that are no browser, where that is configured."""
    native = configuration.native
    make_viewer = partial(_viewer, around)
    if native.vencrypt.port is not None:
        contexts: Contexts = {True: CertifiedTls(tls), False: AnonymousTls()}
        factory = ViewerFactory(make_viewer, None, contexts, reactor)
        address = _address(native.vencrypt.interface, configuration.network)
        port = Listening.tcp(
            reactor, "native.vencrypt.port", native.vencrypt.port, address, factory
        )
        port.setServiceParent(daemon)
        _tell(f"native viewers, VeNCrypt: {address}::{port.number}")
    # Last: nothing fails after it, so a start in vain leaves no socket behind.
    if native.unix_socket:
        factory = ViewerFactory(make_viewer, native.unix_account, {}, reactor)
        Listening.unix(reactor, native.unix_socket, factory).setServiceParent(daemon)
        _tell(f"native viewers, as {native.unix_account}: {native.unix_socket}")


def _tell(*words: str) -> None:
    """Say something on the terminal that does not belong into a log."""
    print("kasmd:", *words, flush=True)
