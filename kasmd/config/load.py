"""The daemon's own file: read, checked as a whole, and completed from the environment."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Iterator, Mapping, Optional

from kasmd.config.data_loss import contradictions as data_loss_contradictions
from kasmd.config.edges import contradictions as edge_contradictions
from kasmd.config.kasmvnc import UNSUPPORTED
from kasmd.config.reading import Reading
from kasmd.config.values import AUTO, Configuration
from kasmd.errors import ConfigError

#: Bytes; a file with every option is 12 KiB.
FILE_LIMIT = 1 << 18


def load(path: Optional[str], environ: Mapping[str, str]) -> Configuration:
    """Read ``path``, or take the defaults where it is None (ConfigError)."""
    reading = Reading(path or "defaults", environ, Configuration, UNSUPPORTED)
    if path is not None:
        reading.read(FILE_LIMIT)
    configuration: Configuration = reading.result(_contradictions)
    return _resolved(configuration, environ)


def _contradictions(values: Configuration) -> Iterator[tuple[str, str]]:
    """Give what no single key can tell: the key to be named, and the text."""
    network, native, display = values.network, values.native, values.display
    if not (network.use_ipv4 or network.use_ipv6):
        yield "network.use_ipv6", "nobody can connect without IPv4 and without IPv6"
    if network.ssl.pem_key and not network.ssl.pem_certificate:
        yield "network.ssl.pem_key", "needs network.ssl.pem_certificate"
    if network.ssl.require_ssl and values.site.plain_http == "serve":
        yield "site.plain_http", "cannot be serve while network.ssl.require_ssl is true"
    if native.unix_socket and not native.unix_account:
        yield "native.unix_socket", "needs native.unix_account"
    if native.unix_account and not native.unix_socket:
        yield "native.unix_account", "needs native.unix_socket"
    if display.rfb and display.x11:
        yield "display.rfb", "cannot be together with display.x11"
    if display.rfb_password and display.rfb_password_file:
        yield "display.rfb_password_file", "cannot be together with display.rfb_password"
    size, most = values.desktop.resolution, display.max_resolution
    if size.width > most.width or size.height > most.height:
        yield "desktop.resolution.width", "must be within display.max_resolution"
    yield from data_loss_contradictions(values.data_loss_prevention)
    yield from edge_contradictions(values.edge)
    if not (values.desktop.enabled or values.edge):
        yield "desktop.enabled", "without a desktop and without an edge there is nothing to do"


def _resolved(values: Configuration, environ: Mapping[str, str]) -> Configuration:
    """Put in the defaults that depend on the environment and on other keys."""
    state = values.state_directory
    if state == AUTO:
        state = _state_directory(environ)
    advanced = values.server.advanced
    if advanced.kasm_password_file == AUTO:
        advanced = replace(advanced, kasm_password_file=os.path.join(state, "kasmpasswd"))
    site = values.site
    if site.plain_http == AUTO:
        plain = "refuse" if values.network.ssl.require_ssl else "serve"
        site = replace(site, plain_http=plain)
    server = replace(values.server, advanced=advanced)
    return replace(values, state_directory=state, server=server, site=site)


def _state_directory(environ: Mapping[str, str]) -> str:
    # A relative XDG_STATE_HOME is to be ignored (XDG Base Directory).
    base = environ.get("XDG_STATE_HOME", "")
    if not base.startswith("/"):
        home = environ.get("HOME", "")
        if not home.startswith("/"):
            raise ConfigError("state_directory: must be given where HOME is not set")
        base = os.path.join(home, ".local", "state")
    return os.path.join(base, "kasmd")
