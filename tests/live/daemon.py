"""The daemon under test: ``twistd kasmd`` with a folder of its own."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Optional, Sequence

from tests.live.programs import ROOT, Program

#: The accounts that the live tests use, all with the password "password".
SECRET = "$5$kasm$M.z5TLjdOq8hLv4c3HJaD5mKBkD6uIV8a1mkEVonCq/"
ACCOUNTS = {"writer": "rw", "reader": "r", "nobody": "", "owner": "rwo"}
#: What the daemon says each time that its desktop can be used.
_DESKTOP = r"desktop (:\d+), XAUTHORITY=(\S+)"

CONFIGURATION = """\
state_directory: {folder}/state
network:
  websocket_port: 0
  ssl:
    require_ssl: {require_ssl}
server:
  advanced:
    kasm_password_file: {folder}/kasmpasswd
limits:
  handshake_seconds: 600
desktop:
  resolution:
    width: 800
    height: 600
"""


class Daemon(Program):
    """Runs until the end of the ``with``.

    ``more`` is added to the configuration, and ``network`` to this section of it;
    ``host`` is the command that runs another one elsewhere; ``port`` 0 is any.
    """

    def __init__(self, folder: Path, more: str = "", require_ssl: bool = True,
                 accounts: Optional[dict[str, str]] = None, network: str = "",
                 host: Sequence[str] = (), port: int = 0) -> None:
        self.folder = folder
        self.passwords = folder / "kasmpasswd"
        self.set_accounts(ACCOUNTS if accounts is None else accounts)
        self.configuration = folder / "kasmd.yaml"
        text = CONFIGURATION.format(folder=folder, require_ssl=str(require_ssl).lower())
        text = text.replace("network:\n", f"network:\n{network}")
        text = text.replace("websocket_port: 0", f"websocket_port: {port}")
        self.configuration.write_text(text + more)
        command = (*host, *twistd("--config", str(self.configuration)))
        # Where no resolver answers, a name is soon known to be none.
        env = {"HOME": str(folder), "RES_OPTIONS": "timeout:1 attempts:1"}
        super().__init__(*command, env=env, cwd=ROOT)

    def set_accounts(self, accounts: dict[str, str]) -> None:
        """Edit the password file as an operator would."""
        lines = [f"{name}:{SECRET}:{letters}\n" for name, letters in accounts.items()]
        self.write_passwords("".join(lines))

    def write_passwords(self, text: str) -> None:
        """Rename it into place: what is cut and written again may be read in between."""
        edited = self.folder / "edited"
        edited.write_text(text)
        edited.chmod(0o600)
        edited.replace(self.passwords)

    @property
    def port(self) -> int:
        return int(self.wait_for(r"^kasmd: https://127\.0\.0\.1:(\d+)/")[1])

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/"

    @property
    def x_environment(self) -> dict[str, str]:
        """What an X client needs to paint on the newest desktop; waits for the first."""
        self.wait_for(_DESKTOP)
        display, authority = re.findall(_DESKTOP, self.output)[-1]
        return {"DISPLAY": display, "XAUTHORITY": authority}


def twistd(*arguments: str) -> tuple[str, ...]:
    """Give the command line of the daemon."""
    program = os.path.join(os.path.dirname(sys.executable), "twistd")
    return (program, "-n", "--pidfile=", "kasmd", *arguments)
