"""VNC servers of others, with a desktop behind: Xtigervnc, and x11vnc on its display."""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kasmd.rfb.client_handshake import encrypted
from kasmd.web.certificate import self_signed
from tests.live.programs import Program

PASSWORD = "password"
#: What VNC's password files are encrypted with, by everybody.
_FILE_KEY = bytes([23, 82, 107, 6, 35, 78, 88, 7]).decode("latin-1")


class FarDesktop(Program):
    """Xtigervnc on a unix socket; asks for the password, with TLS or without."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "rfb"
        self.passwords = folder / "vnc-passwd"
        self.passwords.write_bytes(encrypted(PASSWORD.encode(), _FILE_KEY))
        self.certificate = self_signed(folder, datetime.datetime.now(datetime.timezone.utc))
        super().__init__(
            "Xtigervnc", "-displayfd", "1", "-geometry", "800x600", "-rfbport", "-1",
            "-rfbunixpath", str(self.socket), "-SecurityTypes", "X509Vnc,TLSVnc,VncAuth",
            "-PasswordFile", str(self.passwords),
            "-X509Cert", str(self.certificate), "-X509Key", str(self.certificate),
        )
        self.display = ":" + self.wait_for(r"^(\d+)$")[1]

    @property
    def x_environment(self) -> dict[str, str]:
        """What an X client needs to paint there."""
        return {"DISPLAY": self.display}

    @property
    def pin(self) -> str:
        """The SHA-256 of the certificate's public key."""
        key = x509.load_pem_x509_certificate(Path(self.certificate).read_bytes()).public_key()
        digest = Hash(SHA256())
        digest.update(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        return digest.finalize().hex()


class X11vnc(Program):
    """x11vnc on a display, on a TCP port of this machine."""

    def __init__(self, far: FarDesktop) -> None:
        super().__init__(
            "x11vnc", "-display", far.display, "-localhost", "-autoport", "17000", "-forever",
            "-shared", "-rfbauth", str(far.passwords), "-noxdamage", "-q", "-norc",
        )
        self.port = int(self.wait_for(r"^PORT=(\d+)$")[1])
