"""Composition of the desktop: its display, its site, and what it listens on."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any, Optional

from twisted.application.service import MultiService

from kasmd.config.encoding import VideoStreamingMode
from kasmd.config.values import Configuration
from kasmd.data_loss import compose_data_loss
from kasmd.displays import compose_display
from kasmd.http.counts import Counts
from kasmd.http.face import Plain
from kasmd.http.faults import FAULTS
from kasmd.http.proxies import Proxies
from kasmd.http.routes import Route
from kasmd.http.server import Request
from kasmd.http.tls import CertificateFiles
from kasmd.identity import Identity
from kasmd.interfaces import ISeat, IViewerTransport, Principal
from kasmd.listening import Listening, interface_of
from kasmd.metrics import Metrics
from kasmd.permission.held import Hold
from kasmd.permission.keyfile import KeyFile
from kasmd.permission.seat import Seat
from kasmd.permission.tickets import DESKTOP_HOP, Tickets
from kasmd.samples import DESKTOP_FACE, of_desktop, of_face
from kasmd.settings import compose_settings, rules_of, wire_limits
from kasmd.startup import Farewell, tell
from kasmd.viewer.crew import crew_for
from kasmd.viewer.encoders import Encoders
from kasmd.viewer.native import AnonymousTls, CertifiedTls, Contexts, ViewerFactory
from kasmd.viewer.protocol import Viewer
from kasmd.viewer.roster import Roster
from kasmd.viewer.sharing import Encodings
from kasmd.viewer.streams import Streams
from kasmd.viewer.surroundings import Surroundings
from kasmd.viewer.turns import Turns
from kasmd.viewer.worker import ThreadWorker
from kasmd.web.api.service import Api
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
#: Where Prometheus looks if nobody tells it more.
METRICS = b"/metrics"


class Desktop:
    """Makes the desktop of one daemon (ConfigError, AccountsError)."""

    def __init__(self, configuration: Configuration, state: Path, identity: Identity,
                 tls: CertificateFiles, reactor: Any, daemon: MultiService) -> None:
        self._configuration = configuration
        self._identity = identity
        self._tls = tls
        self._reactor = reactor
        self._daemon = daemon
        #: Two workers: passwords wait for no pictures.
        self._hashing, self._work = ThreadWorker(reactor), ThreadWorker(reactor)
        self._display = compose_display(configuration, state, reactor, daemon)
        self._hold = Hold()
        self._prevention = compose_data_loss(
            configuration.data_loss_prevention, self._work, reactor, daemon
        )
        self._roster, self._pages, self._counts = Roster(), Pages(), Counts(words=FAULTS)
        self._system = SystemStats(reactor, self._work)
        self._origins = parse_origins(configuration.site.allowed_origins)
        self._around = self._surroundings()
        Farewell(reactor, self._roster).setServiceParent(daemon)

    def listen(self, metrics: Metrics) -> None:
        """Listen for browsers, and for other viewers where that is configured."""
        metrics.add(of_face(DESKTOP_FACE, self._counts))
        metrics.add(of_desktop(self._roster, self._around.totals, self._display))
        self._listen_for_browsers([*self._apis(), metrics.route(METRICS)])
        self._listen_for_vencrypt()
        self._listen_on_a_unix_socket()

    def _surroundings(self) -> Surroundings:
        limits, encoding = self._configuration.limits, self._configuration.encoding
        return Surroundings(
            admit=self._admit,
            authenticate=self._identity.authenticator.authenticate,
            roster=self._roster,
            encodings=Encodings(),
            streams=_streams(encoding.video_streaming_mode, self._reactor),
            turns=Turns(self._reactor),
            clock=self._reactor,
            limits=wire_limits(limits.clipboard_bytes),
            handshake_time=limits.handshake_seconds,
            patience=limits.stalled_viewer_seconds,
            max_viewers=limits.viewers,
            frame=1 / encoding.max_frame_rate,
            system_stats=self._system.report,
            rules=rules_of(encoding),
            crew=crew_for(self._reactor),
        )

    def _admit(self, principal: Principal) -> ISeat:
        grant = self._identity.registry.admit(principal, DESKTOP)
        return Seat(self._display, grant, self._hold, self._prevention)

    def _seat_of(self, request: Request) -> ISeat:
        """Give the seat of one who asks over HTTP; it has nothing to leave but its grant."""
        assert request.grant is not None, "the route needs a grant"
        return Seat(self._display, request.grant, self._hold, self._prevention)

    def _viewer(self, transport: IViewerTransport, principal: Optional[Principal]) -> Viewer:
        return Viewer(transport, principal, self._around)

    def _apis(self) -> list[Route]:
        """Give the routes of KasmVNC's API and of our own."""
        downloads, uploads = self._files()
        kasmvnc = KasmvncApi(
            self._reactor,
            accounts=self._identity.accounts,
            roster=self._roster,
            seat_of=self._seat_of,
            hashing=self._hashing,
            work=self._work,
            system=self._system,
            downloads=downloads,
            allowed_origins=self._origins,
        )
        own = Api(
            self._reactor,
            accounts=self._identity.accounts,
            proofs=self._identity.proofs,
            roster=self._roster,
            pages=self._pages,
            settings=compose_settings(self._display, self._around, self._identity),
            uploads=uploads,
            downloads=downloads,
            seat_of=self._seat_of,
            hashing=self._hashing,
            work=self._work,
            allowed_origins=self._origins,
        )
        return [*kasmvnc.routes(), *own.routes()]

    def _files(self) -> tuple[Downloads, Uploads]:
        advanced, most = self._configuration.server.advanced, self._configuration.limits
        downloads = Downloads(self._reactor, advanced.downloads_directory, self._work)
        uploads = Uploads(
            self._reactor,
            advanced.uploads_directory,
            most.upload_bytes,
            ThreadWorker(self._reactor),
        )
        uploads.sweep()
        return downloads, uploads

    def _listen_for_browsers(self, more: list[Route]) -> None:
        configuration, identity = self._configuration, self._identity
        network = configuration.network
        site = make_site(
            self._reactor,
            authenticator=identity.authenticator,
            registry=identity.registry,
            roster=self._roster,
            pages=self._pages,
            make_viewer=self._viewer,
            mounts=_mounts(configuration),
            more=more,
            desktop=self._display,
            entrance=identity.entrance,
            tickets=_tickets(configuration.security.ticket_key),
            proxies=Proxies(network.trusted_proxies),
            headers=configuration.server.http.headers,
            allowed_origins=self._origins,
            target=DESKTOP,
            tls=self._tls,
            plain=Plain(configuration.site.plain_http),
            counts=self._counts,
        )
        interface = interface_of(network.interface, network)
        port = Listening.tcp(
            self._reactor, "network.websocket_port", network.websocket_port, interface, site
        )
        port.setServiceParent(self._daemon)
        tell(f"https://{interface}:{port.number}/")

    def _listen_for_vencrypt(self) -> None:
        vencrypt = self._configuration.native.vencrypt
        if vencrypt.port is None:
            return
        contexts: Contexts = {True: CertifiedTls(self._tls), False: AnonymousTls()}
        factory = ViewerFactory(self._viewer, None, contexts, self._reactor)
        interface = interface_of(vencrypt.interface, self._configuration.network)
        port = Listening.tcp(
            self._reactor, "native.vencrypt.port", vencrypt.port, interface, factory
        )
        port.setServiceParent(self._daemon)
        tell(f"native viewers, VeNCrypt: {interface}::{port.number}")

    def _listen_on_a_unix_socket(self) -> None:
        native = self._configuration.native
        if not native.unix_socket:
            return
        principal = Principal(native.unix_account or "")
        factory = ViewerFactory(self._viewer, principal, {}, self._reactor)
        port = Listening.unix(self._reactor, "native.unix_socket", native.unix_socket, factory)
        port.setServiceParent(self._daemon)
        tell(f"native viewers, as {native.unix_account}: {native.unix_socket}")


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


def _streams(settings: VideoStreamingMode, reactor: Any) -> Streams:
    """Give the streams of video."""
    encoders = Encoders(reactor, partial(ThreadWorker, reactor), settings.codec)
    encoders.begin()
    return Streams(encoders, settings.quality, settings.gop)
