"""Composition: introduces the parts to one another."""

from __future__ import annotations

import datetime
import os
import sys
from pathlib import Path
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.python import usage

from kasmd.config.load import load
from kasmd.config.values import Configuration, Logging
from kasmd.desktop import Desktop
from kasmd.edges import Edges
from kasmd.errors import KasmdError
from kasmd.http.tls import CertificateFiles
from kasmd.identity import Identity, compose_identity
from kasmd.listening import interface_of
from kasmd.log.daemon import LoggedService
from kasmd.log.output import set_level
from kasmd.metrics import Metrics
from kasmd.reactor import settle, take_reactor
from kasmd.samples import of_lockout
from kasmd.startup import (
    Ending,
    StateDirectory,
    first_account,
    tell,
)
from kasmd.viewer.worker import ThreadWorker
from kasmd.web.certificate import self_signed

#: Seconds after which a thread that works lets the reactor's go on.
SWITCH_INTERVAL = 0.001


class Options(usage.Options):
    """``twistd kasmd``: all but the file's name is in the file."""

    synopsis = "[--config FILE]"
    longdesc = "A desktop in any browser, for many people at once. See etc/kasmd.yaml."
    optParameters = [["config", "c", None, "The configuration; without one, the defaults hold."]]


def makeService(options: Options) -> IService:
    """Give the daemon; a wrong value ends the process with a line that says which."""
    reactor = take_reactor()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        configuration = load(options["config"], os.environ)
        daemon = _logged(configuration.logging, options, reactor)
        compose(configuration, reactor).setServiceParent(daemon)
        settle()
        return daemon
    except KasmdError as error:
        raise SystemExit(f"kasmd: {error}") from None


def _logged(logging: Logging, options: Options, reactor: Any) -> LoggedService:
    set_level(logging.level)
    # Parsed by twistd, it has twistd's own options for its parent.
    return LoggedService(reactor, logging.format, logging.log_dest, options.parent or {})


def compose(configuration: Configuration, reactor: Any) -> MultiService:
    """Make the daemon of these values; it listens when this returns.

    Raises ConfigError or AccountsError.  A unix socket that is left behind then is
    cleared by the next start.
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
        Desktop(configuration, state.path, identity, tls, reactor, daemon).listen(metrics)
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
        interface = interface_of(edge.listen.interface, network)
        place = edges.listen(f"edge[{number}].listen", edge, interface)
        tell(f"edge {edge.name}, {edge.role}: {place}")


def _first_account(configuration: Configuration, state: StateDirectory) -> None:
    """Say where the accounts are; with no file at all, one is made."""
    path = configuration.server.advanced.kasm_password_file
    if os.path.exists(path):
        tell(f"accounts are in {path}")
    else:
        tell(*first_account(path, state.path))


def _certificate(configuration: Configuration, state: StateDirectory,
                 reactor: Any) -> CertificateFiles:
    """Give the configured certificate, or one of our own making."""
    ssl = configuration.network.ssl
    if ssl.pem_certificate is None:
        now = datetime.datetime.now(datetime.timezone.utc)
        own = self_signed(state.path, now)
        return CertificateFiles(reactor, own, own)
    return CertificateFiles(reactor, ssl.pem_certificate, ssl.pem_key or ssl.pem_certificate)
