"""What an operator may get wrong: one clear line each, exit code 1, and nothing left behind."""

from __future__ import annotations

import datetime
import os
import resource
import socket
import subprocess
from functools import partial
from pathlib import Path
from typing import Callable, Mapping, Optional

import pytest

from kasmd.web.certificate import self_signed
from tests.live.daemon import SECRET, Daemon, twistd
from tests.live.programs import PATIENCE, ROOT, eventually, processes_with
from tests.live.web import get

BASE = """\
state_directory: {folder}/state
"""
FREE_PORT = """\
network:
  websocket_port: 0
"""
NOISE = ("kasmd: accounts ", "kasmd: user ", "kasmd: https:", "kasmd: native ")


def refusal(folder: Path, text: str, env: Optional[Mapping[str, str]] = None,
            limit: Callable[[], None] = lambda: None) -> str:
    """Start with a configuration that must be refused; give what is said about it."""
    path = folder / "kasmd.yaml"
    path.write_text(text.replace("{folder}", str(folder)))
    done = subprocess.run(
        twistd("--config", str(path)), env={**os.environ, "HOME": str(folder), **(env or {})},
        cwd=ROOT, timeout=PATIENCE, capture_output=True, text=True, preexec_fn=limit,
    )
    assert done.returncode == 1, done
    assert all(line.startswith(NOISE) for line in done.stdout.splitlines()), done.stdout
    eventually(lambda: processes_with(f"HOME={folder}") == [], "nothing is left")
    head, _, said = done.stderr.rstrip("\n").partition("kasmd: ")
    assert not head and "\n" not in said, done.stderr
    return said.replace(str(folder), "~")


@pytest.mark.parametrize("text, said", [
    ("network: [\n", "~/kasmd.yaml:2: expected the node content, but found '<stream end>'"),
    ("network:\n  websocket_prt: 1\n",
     "~/kasmd.yaml:2: network.websocket_prt: unknown key, did you mean network.websocket_port?"),
    ("network:\n  websocket_port: many\n",
     "~/kasmd.yaml:2: network.websocket_port: many must be a whole number from 0 to 65535,"
     " or auto"),
    ("network:\n  udp:\n    public_ip: 192.0.2.1\n",
     "~/kasmd.yaml:3: network.udp.public_ip: known to KasmVNC, not supported by this version"
     " of kasmd"),
    ("state_directory: {folder}/kasmd.yaml/state\n",
     "state_directory: ~/kasmd.yaml/state: Not a directory"),
    (BASE + "server:\n  advanced:\n    kasm_password_file: {folder}/none/kasmpasswd\n",
     "~/none/kasmpasswd: cannot be written: No such file or directory"),
    (BASE + "server:\n  advanced:\n    kasm_password_file: {folder}\n",
     "~: cannot be read: Is a directory"),
    (BASE + "site:\n  novnc_directory: {folder}\n",
     "~: holds no noVNC (core/rfb.js); run npm ci, or say in site.novnc_directory where it is"),
    (BASE + "display:\n  window_manager: [no-such-program]\n",
     "no-such-program is not installed: apt install no-such-program"),
    (BASE + "network:\n  ssl:\n    pem_certificate: {folder}/none.pem\n",
     "~/none.pem: cannot be read: No such file or directory"),
    (BASE + "network:\n  ssl:\n    pem_certificate: {folder}/kasmd.yaml\n",
     "~/kasmd.yaml: is not a PEM file of the right kind"),
    (BASE + FREE_PORT + "native:\n  unix_socket: {folder}/none/socket\n  unix_account: writer\n",
     "native.unix_socket: ~/none/socket: No such file or directory"),
])
def test_refused(tmp_path: Path, text: str, said: str) -> None:
    assert refusal(tmp_path, text) == said


def test_no_configuration(tmp_path: Path) -> None:
    done = subprocess.run(
        twistd("--config", str(tmp_path / "none.yaml")), cwd=ROOT, timeout=PATIENCE,
        capture_output=True, text=True,
    )
    said = f"kasmd: {tmp_path}/none.yaml: cannot be read: No such file or directory\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


def test_no_x_server(tmp_path: Path) -> None:
    """Its package is named."""
    said = refusal(tmp_path, BASE + FREE_PORT, {"PATH": str(tmp_path)})
    assert said == "Xvfb is not installed: apt install xvfb"


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    now = datetime.datetime.now(datetime.timezone.utc)
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        self_signed(tmp_path / name, now).rename(tmp_path / f"{name}.pem")
    text = BASE + "network:\n  ssl:\n    pem_certificate: {folder}/one.pem\n"
    said = refusal(tmp_path, text + "    pem_key: {folder}/other.pem\n")
    assert said == "~/other.pem: is not the key of the certificate ~/one.pem"


def test_a_port_in_use(tmp_path: Path) -> None:
    """No socket of a start in vain stays, and the state can be used at once."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        used = f"cannot listen on 127.0.0.1, port {port}: Address already in use"
        said = refusal(tmp_path, BASE + f"network:\n  websocket_port: {port}\n")
        assert said == f"network.websocket_port: {used}"
        native = "native:\n  unix_socket: {folder}/socket\n  unix_account: writer\n"
        said = refusal(tmp_path, BASE + FREE_PORT + native + f"  vencrypt:\n    port: {port}\n")
        assert said == f"native.vencrypt.port: {used}"
    assert not (tmp_path / "socket").exists()


def test_a_socket_path_in_use(tmp_path: Path) -> None:
    """Neither another program's socket nor a file is taken away."""
    text = BASE + FREE_PORT + "native:\n  unix_socket: {folder}/socket\n  unix_account: writer\n"
    path = tmp_path / "socket"
    path.write_text("precious")
    assert refusal(tmp_path, text) == "native.unix_socket: ~/socket is there and is no socket"
    assert path.read_text() == "precious"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        said = "native.unix_socket: ~/socket is in use by another process"
        assert refusal(tmp_path, text) == said


@pytest.mark.parametrize("room, file", [(0, "initial-password"), (20, "kasmpasswd")])
def test_a_full_disk(tmp_path: Path, room: int, file: str) -> None:
    """Nothing half written stays to be found by the next start."""
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (room, room))
    said = refusal(tmp_path, BASE + FREE_PORT, limit=limit)
    assert said == f"~/state/{file}: cannot be written: File too large"
    left = {path.name for path in (tmp_path / "state").iterdir()}
    assert left <= {"initial-password", "kasmpasswd.lock"}
    assert ("initial-password" in left) == (room > 0)


def test_bad_lines_in_the_password_file(tmp_path: Path) -> None:
    """They are named in the log; the others' accounts work, now and after an edit."""
    with Daemon(tmp_path, require_ssl=False) as daemon:
        port = daemon.port
        daemon.write_passwords(
            f"writer:{SECRET}:rw\nnonsense\na:b:c:d\n:{SECRET}:r\nowner:{SECRET}:o\n"
        )
        for line in (2, 3, 4):
            daemon.wait_for(rf"\[PRIO\] permission.accounts: {daemon.passwords}:{line}: \S")
        assert (get(port, user="writer").status, get(port, user="owner").status) == (200, 200)
        assert get(port, user="nonsense").status == 401
        daemon.passwords.unlink()
        daemon.wait_for("no account, so nobody can log in")
        assert get(port, user="writer").status == 401
        daemon.set_accounts({"writer": "rw"})
        eventually(lambda: get(port, user="writer").status == 200, "the account is back")
    assert SECRET not in daemon.output
    assert "Traceback" not in daemon.output
