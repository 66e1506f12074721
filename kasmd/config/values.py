"""Everything that can be configured: keys, kinds and defaults.

A field's place is its key: ``configuration.network.ssl.pem_key`` is
``network.ssl.pem_key`` in the file.  What each one means, for people, is in
etc/kasmd.yaml, which has them all.  The keys of network, desktop, security,
server, data_loss_prevention, encoding, logging and legacy are KasmVNC's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from kasmd.config.addresses import Trusting
from kasmd.config.data_loss import DataLossPrevention
from kasmd.config.edges import Edge
from kasmd.config.encoding import Encoding
from kasmd.config.kinds import (
    address,
    boolean,
    choice,
    command,
    either,
    framers,
    headers,
    integer,
    networks,
    optional,
    origins,
    path,
    program,
    seconds,
    secret,
    secret_file,
    text,
)
from kasmd.config.schema import entries, option, section
from kasmd.config.upstreams import QUALITY, place, quality
from kasmd.display.layout import MAX_SCREENS
from kasmd.display.upstream_line import Place
from kasmd.ranges import (
    BLACKLIST_SECONDS,
    BLACKLIST_THRESHOLD,
    CLIPBOARD_BYTES,
    LOG_LEVEL,
    STALLED_SECONDS,
    UPLOAD_BYTES,
    VIEWERS,
)

#: Stands for a default that depends on something else; `load` puts it there.
AUTO = "auto"

_side = integer(16, 16384)
_port = integer(0, 65535)
_interface = either({"all": "all"}, address)
_auto_path = either({AUTO: AUTO}, path)
_HEADERS = (
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)


@dataclass(frozen=True)
class Ssl:
    """The certificate; without one, a self-signed one is made in the state directory."""

    pem_certificate: Optional[str] = option(None, optional(path))
    pem_key: Optional[str] = option(None, optional(path))
    require_ssl: bool = option(True, boolean)


@dataclass(frozen=True)
class Network:
    """Where the site listens; the interface ``all`` is every one."""

    interface: str = option("127.0.0.1", _interface)
    websocket_port: int = option(8443, either({AUTO: 8443}, _port))
    use_ipv4: bool = option(True, boolean)
    use_ipv6: bool = option(True, boolean)
    trusted_proxies: tuple[str, ...] = option((), networks)
    ssl: Ssl = section(Ssl)


@dataclass(frozen=True)
class Http:
    """What the site adds to answers, and another client in place of its own."""

    headers: tuple[tuple[str, str], ...] = option(_HEADERS, headers)
    httpd_directory: Optional[str] = option(None, optional(path))


@dataclass(frozen=True)
class Advanced:
    """Files; no ``x_authority_file`` is ``$XAUTHORITY`` or ``~/.Xauthority``."""

    kasm_password_file: str = option(AUTO, _auto_path)
    x_authority_file: Optional[str] = option(None, either({AUTO: None}, optional(path)))
    downloads_directory: str = option("~/Downloads", either({AUTO: "~/Downloads"}, path))
    uploads_directory: str = option("~/Uploads", either({AUTO: "~/Uploads"}, path))


@dataclass(frozen=True)
class Server:
    """The site's files and the daemon's."""

    http: Http = section(Http)
    advanced: Advanced = section(Advanced)


@dataclass(frozen=True)
class BruteForceProtection:
    """How many wrong passwords lock an address out (0: none do), for how many seconds."""

    blacklist_threshold: int = option(5, integer(*BLACKLIST_THRESHOLD))
    blacklist_timeout: float = option(10.0, seconds(*BLACKLIST_SECONDS))


@dataclass(frozen=True)
class Sessions:
    """How long a log-in's cookie is good, and how many one account may have."""

    idle_seconds: float = option(28800.0, seconds(60, 86400 * 365))
    life_seconds: float = option(604800.0, seconds(60, 86400 * 365))
    per_account: int = option(32, integer(1, 1000))


@dataclass(frozen=True)
class Security:
    """Whose tickets are taken, how long a log-in lasts, and against guessing."""

    ticket_key: Optional[str] = option(None, optional(path))
    sessions: Sessions = section(Sessions)
    brute_force_protection: BruteForceProtection = section(BruteForceProtection)


@dataclass(frozen=True)
class Resolution:
    """The size of our own desktop when it starts, in pixels."""

    width: int = option(1280, _side)
    height: int = option(720, _side)


@dataclass(frozen=True)
class Desktop:
    """Whether there is one, its size, and whether writers may change it."""

    enabled: bool = option(True, boolean)
    resolution: Resolution = section(Resolution)
    allow_resize: bool = option(True, boolean)


@dataclass(frozen=True)
class Legacy:
    """What the desktop is called; without a name, ``host (user)``."""

    desktop_name: Optional[str] = option(None, either({"default": None}, optional(text)))


@dataclass(frozen=True)
class MaxResolution:
    """The largest size that our own desktop may be given, in pixels."""

    width: int = option(3840, _side)
    height: int = option(2160, _side)


@dataclass(frozen=True)
class Display:
    """A running display (``x11``), another's over RFB, or the programs of our own."""

    x11: Optional[str] = option(None, optional(text))
    rfb: Optional[Place] = option(None, optional(place))
    rfb_username: Optional[str] = option(None, optional(text))
    rfb_password: Optional[str] = option(None, optional(secret))
    rfb_password_file: Optional[str] = option(None, optional(secret_file))
    rfb_tls: Trusting = section(Trusting)
    rfb_quality: Optional[int] = option(QUALITY, quality)
    max_resolution: MaxResolution = section(MaxResolution)
    max_screens: int = option(MAX_SCREENS, integer(1, MAX_SCREENS))
    xvfb: tuple[str, ...] = option(("Xvfb",), program)
    window_manager: tuple[str, ...] = option(("openbox",), command)
    terminal: tuple[str, ...] = option(("xterm", "-fa", "Monospace", "-fs", "11"), command)


@dataclass(frozen=True)
class Site:
    """Connections without TLS, the log-in, pages of other sites, and where noVNC is."""

    plain_http: str = option(AUTO, choice(AUTO, "refuse", "redirect", "serve"))
    login: str = option("basic", choice("basic", "page"))
    allowed_origins: tuple[str, ...] = option((), origins)
    frame_ancestors: tuple[str, ...] = option(("self",), framers)
    embedding: bool = option(False, boolean)
    novnc_directory: Optional[str] = option(None, optional(path))


@dataclass(frozen=True)
class Vencrypt:
    """A TCP port for native viewers, with TLS and the same accounts."""

    port: Optional[int] = option(None, optional(_port))
    interface: str = option("127.0.0.1", _interface)


@dataclass(frozen=True)
class Native:
    """Native viewers: a socket for this user's, which act as ``unix_account``."""

    unix_socket: Optional[str] = option(None, optional(path))
    unix_account: Optional[str] = option(None, optional(text))
    vencrypt: Vencrypt = section(Vencrypt)


@dataclass(frozen=True)
class Logging:
    """What is written down, in whose format; ``logfile`` is where twistd's log goes."""

    format: str = option("kasmvnc", choice("kasmvnc", "json"))
    level: int = option(30, integer(*LOG_LEVEL))
    log_writer_name: str = option("all", choice("all"))
    log_dest: str = option("logfile", choice("logfile", "syslog"))


@dataclass(frozen=True)
class Limits:
    """When a viewer is closed, how much it may send, how many there may be; files."""

    stalled_viewer_seconds: float = option(30.0, seconds(*STALLED_SECONDS))
    handshake_seconds: float = option(10.0, seconds(1, 3600))
    clipboard_bytes: int = option(16 << 20, integer(*CLIPBOARD_BYTES))
    viewers: int = option(200, integer(*VIEWERS))
    upload_bytes: int = option(1 << 30, integer(*UPLOAD_BYTES))


@dataclass(frozen=True)
class Configuration:
    """The whole file."""

    state_directory: str = option(AUTO, _auto_path)
    network: Network = section(Network)
    server: Server = section(Server)
    security: Security = section(Security)
    desktop: Desktop = section(Desktop)
    data_loss_prevention: DataLossPrevention = section(DataLossPrevention)
    encoding: Encoding = section(Encoding)
    legacy: Legacy = section(Legacy)
    display: Display = section(Display)
    site: Site = section(Site)
    native: Native = section(Native)
    logging: Logging = section(Logging)
    limits: Limits = section(Limits)
    edge: tuple[Edge, ...] = entries(Edge)
