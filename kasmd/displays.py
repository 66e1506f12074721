"""Composition of the display: one of our own, a running one, or another server's."""

from __future__ import annotations

import getpass
import socket
from pathlib import Path
from typing import Any, Union

from twisted.application.service import MultiService

from kasmd.config.upstreams import terms
from kasmd.config.values import Configuration
from kasmd.display.programs import check_installed
from kasmd.display.service import DesktopService, DesktopSettings
from kasmd.display.upstream import UpstreamDisplay
from kasmd.display.upstream_line import Place
from kasmd.display.x11 import X11Display
from kasmd.startup import Watching
from kasmd.viewer.worker import ThreadWorker


def compose_display(configuration: Configuration, state: Path, reactor: Any,
                    daemon: MultiService) -> Union[X11Display, UpstreamDisplay]:
    """Make what these values ask for; ``daemon`` keeps it connected (ConfigError)."""
    settings = configuration.display
    if settings.rfb is not None:
        upstream = _upstream(configuration, settings.rfb, reactor)
        Watching(upstream).setServiceParent(daemon)
        return upstream
    display = _x11(configuration, reactor)
    if settings.x11:
        Watching(display).setServiceParent(daemon)
    else:
        own = _own(configuration, state)
        DesktopService(reactor, own, display).setServiceParent(daemon)
    return display


def _upstream(configuration: Configuration, where: Place, reactor: Any) -> UpstreamDisplay:
    settings, size = configuration.display, configuration.desktop.resolution
    return UpstreamDisplay(
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


def _x11(configuration: Configuration, reactor: Any) -> X11Display:
    settings, size = configuration.display, configuration.desktop.resolution
    return X11Display(
        reactor,
        settings.x11 or "",
        configuration.server.advanced.x_authority_file,
        configuration.legacy.desktop_name or f"{socket.gethostname()} ({getpass.getuser()})",
        configuration.encoding.max_frame_rate,
        (size.width, size.height),
        configuration.limits.clipboard_bytes,
        settings.max_screens,
    )


def _own(configuration: Configuration, state: Path) -> DesktopSettings:
    settings, size = configuration.display, configuration.desktop.resolution
    for command in (settings.xvfb, settings.window_manager, settings.terminal):
        if command:
            check_installed(command)
    return DesktopSettings(
        str(state),
        size.width,
        size.height,
        settings.max_resolution.width,
        settings.max_resolution.height,
        settings.xvfb,
        settings.window_manager,
        settings.terminal,
    )
