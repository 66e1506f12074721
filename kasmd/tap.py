"""Composition: introduces the parts to one another, and is the only one to know them all."""

from __future__ import annotations

import datetime
import gc
import getpass
import os
import socket
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, Optional, Union

from twisted.application.service import IService, MultiService
from twisted.internet.interfaces import IProtocolFactory
from twisted.python import usage

from kasmd.config.load import load
from kasmd.config.upstreams import terms
from kasmd.config.values import Configuration, Logging, Network, VideoStreamingMode
from kasmd.data_loss import compose_data_loss
from kasmd.display.programs import check_installed
from kasmd.display.service import DesktopService, DesktopSettings
from kasmd.display.upstream import Place, UpstreamDisplay
from kasmd.display.x11 import X11Display
from kasmd.edges import Edges
from kasmd.errors import KasmdError
from kasmd.http.counts import Counts
from kasmd.http.face import Plain
from kasmd.http.proxies import Proxies
from kasmd.http.server import Request
from kasmd.http.tls import CertificateFiles
from kasmd.identity import Identity, compose_identity
from kasmd.interfaces import IDisplay, ISeat, IViewerTransport, Principal
from kasmd.log.daemon import LoggedService
from kasmd.log.output import set_level
from kasmd.metrics import Metrics
from kasmd.permission.keyfile import KeyFile
from kasmd.permission.prevention import Prevention
from kasmd.permission.seat import Hold, Seat
from kasmd.permission.tickets import DESKTOP_HOP, Tickets
from kasmd.samples import DESKTOP_FACE, of_desktop, of_face, of_lockout
from kasmd.settings import compose_settings, rules_of, wire_limits
from kasmd.startup import (
    Ending,
    Farewell,
    Listening,
    StateDirectory,
    Watching,
    first_account,
)
from kasmd.viewer.native import AnonymousTls, CertifiedTls, Contexts, ViewerFactory
from kasmd.viewer.protocol import Viewer
from kasmd.viewer.roster import Roster
from kasmd.viewer.sharing import Encodings
from kasmd.viewer.streams import Streams
from kasmd.viewer.surroundings import Surroundings
from kasmd.viewer.turns import Turns
from kasmd.viewer.worker import ThreadWorker
from kasmd.web.api.service import Api
from kasmd.web.certificate import self_signed
from kasmd.web.downloads import Downloads
from kasmd.web.kasmvnc_api import KasmvncApi
from kasmd.web.pages import Pages
from kasmd.web.site import (
    content_policy,
    find_novnc,
    make_site,
    page_mounts,
    parse_origins,
)
from kasmd.web.static import Mount
from kasmd.web.system_stats import SystemStats
from kasmd.web.uploads import Uploads

#: What a grant is asked for.
DESKTOP = "desktop"
#: Seconds after which a thread that works lets the reactor's go on.
SWITCH_INTERVAL = 0.001
#: Where Prometheus looks if nobody tells it more.
METRICS = b"/metrics"


class Options(usage.Options):
    """``twistd kasmd``: all but the file's name is in the file."""

    synopsis = "[--config FILE]"
    longdesc = "A desktop in any browser, for many people at once. See etc/kasmd.yaml."
    optParameters = [["config", "c", None, "The configuration; without one, the defaults hold."]]


def makeService(options: Options) -> IService:
    """Give the daemon; a wrong value ends the process with a line that says which."""
    from twisted.internet import reactor

    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        configuration = load(options["config"], os.environ)
        daemon = _logged(configuration.logging, options, reactor)
        compose(configuration, reactor).setServiceParent(daemon)
        # To look through all that is loaded by now for garbage takes 50 ms each time.
        gc.freeze()
        return daemon
    except KasmdError as error:
        raise SystemExit(f"kasmd: {error}") from None


def _logged(logging: Logging, options: Options, reactor: Any) -> LoggedService:
    set_level(logging.level)
    # Parsed by twistd, it has twistd's own options for its parent.
    return LoggedService(reactor, logging.format, logging.log_dest, options.parent or {})


def compose(configuration: Configuration, reactor: Any) -> MultiService:
    """Make the daemon of these values; it listens when this returns.

    Raises ConfigError or AccountsError, and then nothing is left behind.
    """
    daemon = MultiService()
    state = StateDirectory(Path(configuration.state_directory))
    state.setServiceParent(daemon)
    _first_account(configuration, state)
    identity = compose_identity(configuration, state.path, reactor, daemon)
    Ending(reactor).setServiceParent(daemon)
    tls = _certificate(configuration, state, reactor)
    metrics = Metrics()
    metrics.add(of_lockout(identity.lockout, identity.guarded))
    if configuration.desktop.enabled:
        _compose_desktop(configuration, state, identity, tls, metrics, reactor, daemon)
    _compose_edges(configuration, identity, tls, metrics, reactor, daemon)
    return daemon


def _compose_edges(configuration: Configuration, identity: Identity, tls: CertificateFiles,
                   metrics: Metrics, reactor: Any, daemon: MultiService) -> None:
    """Make the edges, and listen for them."""
    site, network = configuration.site, configuration.network
    prompt = site.login == "basic"
    edges = Edges(
        identity, tls, ThreadWorker(reactor), site.embedding, prompt, metrics, reactor, daemon
    )
    for number, edge in enumerate(configuration.edge):
        address = _address(edge.listen.interface, network)
        key = f"edge[{number}].listen"
        place = edges.listen(key, edge, address)
        _tell(f"edge {edge.name}, {edge.role}: {place}")


def _compose_desktop(configuration: Configuration, state: StateDirectory, identity: Identity,
                     tls: CertificateFiles, metrics: Metrics, reactor: Any,
                     daemon: MultiService) -> None:
    """Make the desktop with its site, and listen for it."""
    registry, authenticator = identity.registry, identity.authenticator
    display = _display(configuration, state, reactor, daemon)
    hashing, work = ThreadWorker(reactor), ThreadWorker(reactor)
    prevention = compose_data_loss(configuration.data_loss_prevention, work, reactor, daemon)
    hold = Hold()

    def admit(principal: Principal) -> ISeat:
        return Seat(display, registry.admit(principal, DESKTOP), hold, prevention)

    roster, pages, system = Roster(), Pages(), SystemStats(reactor, work)
    limits, advanced = configuration.limits, configuration.server.advanced
    downloads = Downloads(advanced.downloads_directory, work)
    uploads = Uploads(
        reactor, advanced.uploads_directory, limits.upload_bytes, ThreadWorker(reactor)
    )
    uploads.sweep()
    around = Surroundings(
        admit=admit,
        authenticate=authenticator.authenticate,
        roster=roster,
        encodings=Encodings(),
        streams=_streams(configuration.encoding.video_streaming_mode, reactor),
        turns=Turns(reactor),
        clock=reactor,
        limits=wire_limits(limits.clipboard_bytes),
        handshake_time=limits.handshake_seconds,
        patience=limits.stalled_viewer_seconds,
        max_viewers=limits.viewers,
        frame=1 / configuration.encoding.max_frame_rate,
        system_stats=system.report,
        rules=rules_of(configuration.encoding),
    )
    Farewell(reactor, roster).setServiceParent(daemon)
    counts = Counts()
    metrics.add(of_face(DESKTOP_FACE, counts))
    metrics.add(of_desktop(roster, around.totals))
    origins = parse_origins(configuration.site.allowed_origins)
    seat_of = partial(_seat, display, hold, prevention)
    kasmvnc = KasmvncApi(
        reactor,
        accounts=identity.accounts,
        roster=roster,
        seat_of=seat_of,
        hashing=hashing,
        work=work,
        system=system,
        downloads=downloads,
        allowed_origins=origins,
    )
    own = Api(
        reactor,
        accounts=identity.accounts,
        proofs=identity.proofs,
        roster=roster,
        pages=pages,
        settings=compose_settings(display, around, identity),
        uploads=uploads,
        downloads=downloads,
        seat_of=seat_of,
        hashing=hashing,
        work=work,
        allowed_origins=origins,
    )
    site = make_site(
        reactor,
        authenticator=authenticator,
        registry=registry,
        roster=roster,
        pages=pages,
        make_viewer=partial(_viewer, around),
        mounts=_mounts(configuration),
        more=[*kasmvnc.routes(), *own.routes(), metrics.route(METRICS)],
        entrance=identity.entrance,
        tickets=_tickets(configuration.security.ticket_key),
        proxies=Proxies(configuration.network.trusted_proxies),
        headers=configuration.server.http.headers,
        allowed_origins=origins,
        target=DESKTOP,
        tls=tls,
        plain=Plain(configuration.site.plain_http),
        counts=counts,
    )
    _listen(configuration, site, reactor, daemon)
    _listen_natively(configuration, around, tls, reactor, daemon)


def _first_account(configuration: Configuration, state: StateDirectory) -> None:
    """Say where the accounts are; with no file at all, one is made."""
    path = configuration.server.advanced.kasm_password_file
    if os.path.exists(path):
        _tell(f"accounts are in {path}")
    else:
        _tell(*first_account(path, state.path))


def _upstream(configuration: Configuration, where: Place, reactor: Any,
              daemon: MultiService) -> UpstreamDisplay:
    """Give the display of an RFB server."""
    settings, size = configuration.display, configuration.desktop.resolution
    display = UpstreamDisplay(
        reactor,
        where,
        ThreadWorker(reactor),
        terms(settings.rfb_username, settings.rfb_password or settings.rfb_password_file,
              settings.rfb_quality, settings.rfb_tls),
        configuration.legacy.desktop_name,
        configuration.encoding.max_frame_rate,
        (size.width, size.height),
        configuration.limits.clipboard_bytes,
        settings.max_screens,
    )
    Watching(display).setServiceParent(daemon)
    return display


def _display(configuration: Configuration, state: StateDirectory, reactor: Any,
             daemon: MultiService) -> Union[X11Display, UpstreamDisplay]:
    """Give the display: a running one, or one of our own that lives with the daemon."""
    settings, size = configuration.display, configuration.desktop.resolution
    if settings.rfb is not None:
        return _upstream(configuration, settings.rfb, reactor, daemon)
    display = X11Display(
        reactor,
        settings.x11 or "",
        configuration.server.advanced.x_authority_file,
        configuration.legacy.desktop_name or f"{socket.gethostname()} ({getpass.getuser()})",
        configuration.encoding.max_frame_rate,
        (size.width, size.height),
        configuration.limits.clipboard_bytes,
        settings.max_screens,
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


def _tickets(path: Optional[str]) -> Optional[Tickets]:
    """Give what reads the tickets of an edge in front, where one is believed (AccountsError)."""
    return Tickets(KeyFile(path), DESKTOP_HOP, time.time) if path else None


def _mounts(configuration: Configuration) -> tuple[Mount, ...]:
    """Give what the site serves: our page, or the operator's folder in its place."""
    folder = configuration.server.http.httpd_directory
    if folder is not None:
        return (Mount(b"/", Path(folder)),)
    novnc = configuration.site.novnc_directory
    policy = content_policy(configuration.site.frame_ancestors)
    return page_mounts(find_novnc(Path(novnc) if novnc else None), policy=policy)


def _seat(display: IDisplay, hold: Hold, prevention: Prevention, request: Request) -> ISeat:
    """Give the seat of one who asks over HTTP; it has nothing to leave but its grant."""
    assert request.grant is not None, "the route needs a grant"
    return Seat(display, request.grant, hold, prevention)


def _viewer(around: Surroundings, transport: IViewerTransport,
            principal: Optional[Principal]) -> Viewer:
    return Viewer(transport, principal, around)


def _address(interface: str, network: Network) -> str:
    """Give the address to listen on; ``::`` has both families."""
    if interface == "all":
        return "::" if network.use_ipv6 else "0.0.0.0"
    return interface


def _streams(settings: VideoStreamingMode, reactor: Any) -> Streams:
    """Give the streams of video; what can encode them is found out meanwhile."""
    streams = Streams(
        partial(ThreadWorker, reactor), settings.codec, settings.quality, settings.gop
    )
    streams.find_encoders()
    return streams


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
        principal = Principal(native.unix_account or "")
        factory = ViewerFactory(make_viewer, principal, {}, reactor)
        Listening.unix(reactor, native.unix_socket, factory).setServiceParent(daemon)
        _tell(f"native viewers, as {native.unix_account}: {native.unix_socket}")


def _tell(*words: str) -> None:
    """Say something on the terminal that does not belong into a log."""
    print("kasmd:", *words, flush=True)
