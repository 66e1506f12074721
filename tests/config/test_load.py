"""The configuration file: what it gives, and what is said of a bad one."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.config.load import FILE_LIMIT, load
from kasmd.config.values import Configuration
from kasmd.errors import ConfigError

ENVIRON = {"HOME": "/home/ann"}
PORT = "must be a whole number from 0 to 65535, or auto"

Load = Callable[..., Configuration]
Problems = Callable[[str], list[str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "kasmd.yaml"


@pytest.fixture
def loaded(file: Path) -> Load:
    def load_text(text: str, environ: Mapping[str, str] = ENVIRON) -> Configuration:
        file.write_text(text)
        return load(str(file), environ)

    return load_text


@pytest.fixture
def problems(loaded: Load, file: Path) -> Problems:
    """Give what is wrong with a text, each line without the file's name."""

    def problems_of(text: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            loaded(text)
        said = str(caught.value).splitlines()
        assert all(line.startswith(f"{file}:") for line in said)
        return [line.removeprefix(f"{file}:") for line in said]

    return problems_of


def test_defaults() -> None:
    values = load(None, ENVIRON)
    assert values.state_directory == "/home/ann/.local/state/kasmd"
    assert values.server.advanced.kasm_password_file == f"{values.state_directory}/kasmpasswd"
    assert (values.network.interface, values.network.websocket_port) == ("127.0.0.1", 8443)
    assert values.network.ssl.require_ssl and values.site.plain_http == "refuse"
    assert values.native.unix_socket is None and values.native.vencrypt.port is None
    assert dict(values.server.http.headers)["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "~\n", "network:\n", "\ufeff"])
def test_a_file_that_says_nothing(loaded: Load, text: str) -> None:
    assert loaded(text) == load(None, ENVIRON)


def test_blank_values_are_the_defaults(loaded: Load) -> None:
    text = "network: {interface: , websocket_port: ~, ssl: {pem_key: null}}\ndisplay: {x11: }\n"
    assert loaded(text) == load(None, ENVIRON)


def test_values(loaded: Load) -> None:
    values = loaded(
        """
network:
  interface: "::1"
  websocket_port: "0"
  ssl: {require_ssl: "false", pem_certificate: /c.pem, pem_key: /k.pem}
server:
  http:
    headers:
      - Content-Security-Policy=default-src 'self'; x=y
      - X-A=1
security: {brute_force_protection: {blacklist_threshold: 0, blacklist_timeout: 2.5}}
display: {x11: ":0", window_manager: [], terminal: [xterm, -e, "a b ${HOME}"]}
site: {allowed_origins: https://Example.com}
native: {vencrypt: {port: 5900, interface: all}}
legacy: {desktop_name: 0x10}
"""
    )
    assert (values.network.interface, values.network.websocket_port) == ("::1", 0)
    assert values.network.ssl.pem_key == "/k.pem" and values.site.plain_http == "serve"
    assert values.server.http.headers == (
        ("Content-Security-Policy", "default-src 'self'; x=y"),
        ("X-A", "1"),
    )
    protection = values.security.brute_force_protection
    assert (protection.blacklist_threshold, protection.blacklist_timeout) == (0, 2.5)
    assert values.display.x11 == ":0" and values.display.window_manager == ()
    assert values.display.terminal == ("xterm", "-e", "a b ${HOME}")
    assert values.site.allowed_origins == ("https://example.com",)
    assert (values.native.vencrypt.port, values.native.vencrypt.interface) == (5900, "all")
    assert values.legacy.desktop_name == "0x10"


def test_values_are_frozen() -> None:
    values: Any = load(None, ENVIRON)
    with pytest.raises(FrozenInstanceError):
        values.network.interface = "0.0.0.0"


def test_unknown_keys_with_hints(problems: Problems) -> None:
    text = """netwrok: {a: 1}
network:
  websocket_prot: 1
  nothing_like_it: 2
websocket_port: 3
limits: {ssl: {x: 1}}
"""
    assert problems(text) == [
        "1: netwrok: unknown key, did you mean network?",
        "3: network.websocket_prot: unknown key, did you mean network.websocket_port?",
        "4: network.nothing_like_it: unknown key",
        "5: websocket_port: unknown key, did you mean network.websocket_port?",
        "6: limits.ssl: unknown key",
    ]


def test_keys_that_only_kasmvnc_acts_on(problems: Problems) -> None:
    text = """desktop: {gpu: {hw3d: true}}
user_session:
  session_type: shared
  seesion_type: {enabled: 1}
command_line: {prompt: }
"""
    unsupported = "known to KasmVNC, not supported by this version of kasmd"
    assert problems(text) == [
        f"1: desktop.gpu.hw3d: {unsupported}",
        f"3: user_session.session_type: {unsupported}",
        "4: user_session.seesion_type: unknown key",
        f"5: command_line.prompt: {unsupported}",
    ]


@pytest.mark.parametrize(
    "text, said",
    [
        ("network: {websocket_port: 65536}", f"65536 {PORT}"),
        ("network: {websocket_port: 84_43}", f"84_43 {PORT}"),
        ("network: {websocket_port: [1]}", f"['1'] {PORT}"),
        ("network: {use_ipv4: yes}", "yes must be true or false, in just these letters"),
        ("network: {use_ipv4: True}", "True must be true or false, in just these letters"),
        ("network: {use_ipv4: 1}", "1 must be true or false"),
        ("network: {interface: localhost}", "localhost must be an IP address, or all"),
        ("network: {ssl: {pem_key: k.pem}}", "k.pem must be an absolute path; ${HOME}/... is"),
        ("network: {ssl: {pem_key: ''}}", "'' must be an absolute path"),
        ("limits: {handshake_seconds: -1}", "'-1' must be a number of seconds from 1 to 3600"),
        ("limits: {handshake_seconds: .inf}", ".inf must be a number of seconds from 1 to 3600"),
        ("limits: {viewers: 0}", "0 must be a whole number from 1 to 10000"),
        ("limits: {viewers: {a: 1}}", "must be a value, and holds keys"),
        ("limits: {viewers: [[1]]}", "must be a plain list"),
        ("site: {plain_http: maybe}", "maybe must be one of auto, refuse, redirect, serve"),
        ("site: {allowed_origins: [https://a/b]}", "which 'https://a/b' is not"),
        ("site: {allowed_origins: ['https://*.a']}", "which 'https://*.a' is not"),
        ("display: {terminal: xterm -ls}", "must be a list of a program and its arguments"),
        ("display: {xvfb: []}", "[] must name a program"),
        ("server: {http: {headers: [X-A]}}", "which 'X-A' is not"),
        ("server: {http: {headers: ['X A=b']}}", "which 'X A=b' is not"),
        ('server: {http: {headers: ["A=b\\r\\nC: d"]}}', r"which 'A=b\r\nC: d' is not"),
        ("legacy: {desktop_name: 'a\n\n  b'}", r"'a\nb' must be a line of text, or default"),
        ("native: {unix_account: '${NOBODY}'}", "the environment has no NOBODY"),
    ],
)
def test_wrong_values(loaded: Load, file: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(text)
    assert str(caught.value).startswith(f"{file}:1: ")
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text, said",
    [
        ("network: {use_ipv4: false, use_ipv6: false}", "1: network.use_ipv6: nobody can"),
        ("network:\n  ssl: {pem_key: /k}", "2: network.ssl.pem_key: needs network.ssl.pem_cert"),
        ("site: {plain_http: serve}", "1: site.plain_http: cannot be serve while network.ssl"),
        ("native: {unix_socket: /s}", "1: native.unix_socket: needs native.unix_account"),
        ("native: {unix_account: ann}", "1: native.unix_account: needs native.unix_socket"),
        ("desktop: {resolution: {width: 9999}}", "1: desktop.resolution.width: must be within"),
        ("display: {max_resolution: {width: 99}}", " desktop.resolution.width: must be within"),
    ],
)
def test_contradictions(problems: Problems, text: str, said: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith(said)


def test_everything_at_once_in_the_files_order(problems: Problems) -> None:
    said = problems("limits:\n  viewers: no\n\nnetwork:\n  interface: x\nfoo: 1\n")
    assert [line.partition(":")[0] for line in said] == ["2", "5", "6"]


def test_duplicate_keys(problems: Problems) -> None:
    said = problems("network:\n  interface: ::1\n  interface: ::1\nnetwork:\n")
    assert said == [
        "3: network.interface: is already in line 2",
        "4: network: is already in line 1",
    ]


@pytest.mark.parametrize(
    "text, said",
    [
        ("network:\n  a: b: c\n", "2: mapping values are not allowed here"),
        ("\tnetwork: 1\n", "1: found character '\\t'"),
        ("network: [1\n", "2: "),
        ("network: *x\n", "1: found undefined alias 'x'"),
        ("a: 1\n---\nb: 2\n", "2: but found another document"),
        ("network: 1\n", "1: network: must hold keys, each with its value"),
        ("network: [a]\n", "1: network: must hold keys, each with its value"),
        ("- network\n", "1: the file: must hold keys, each with its value"),
        ("? [a]\n: 1\n", "1: the file: a key must be a word"),
        ("network:\n  <<: {interface: ::1}\n", "2: 'network.<<': unknown key"),
    ],
)
def test_syntax(problems: Problems, text: str, said: str) -> None:
    assert problems(text)[0].startswith(said)


def test_what_cannot_be_read(file: Path) -> None:
    with pytest.raises(ConfigError, match="kasmd.yaml: cannot be read: No such file"):
        load(str(file), ENVIRON)
    file.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ConfigError, match="kasmd.yaml:2: is not UTF-8"):
        load(str(file), ENVIRON)
    file.write_bytes(b"#" * (FILE_LIMIT + 1))
    with pytest.raises(ConfigError, match="is larger than"):
        load(str(file), ENVIRON)
    file.write_bytes(b"[" * 5000)
    with pytest.raises(ConfigError, match="nested too deeply"):
        load(str(file), ENVIRON)


def test_the_environment(loaded: Load) -> None:
    text = "server: {advanced: {kasm_password_file: '${HOME}/${X}'}}\n"
    values = loaded(text, {"HOME": "/h", "X": "${HOME}", "XDG_STATE_HOME": "/state"})
    assert values.server.advanced.kasm_password_file == "/h/${HOME}"
    assert values.state_directory == "/state/kasmd"
    assert load(None, {"HOME": "/h", "XDG_STATE_HOME": "x"}).state_directory == (
        "/h/.local/state/kasmd"
    )
    with pytest.raises(ConfigError, match="state_directory: must be given"):
        load(None, {})
    assert loaded("state_directory: /s", {}).server.advanced.kasm_password_file == "/s/kasmpasswd"


words = st.sampled_from(
    ["network", "ssl", "interface", "display", "x11", "yes", "~", "[", "]", "{", "}", ":", ": "]
    + ["- ", "\n", "\n  ", "'", '"', "&a", "*a", "!!int", "|", "${HOME}", "${", "#", ",", "é", "?"]
)


@given(st.lists(words, max_size=25).map("".join) | st.text(max_size=40))
def test_only_config_errors_come_out(text: str) -> None:
    with NamedTemporaryFile(suffix=".yaml") as file:
        file.write(text.encode("utf-8", "surrogatepass"))
        file.flush()
        try:
            load(file.name, ENVIRON)
        except ConfigError as error:
            assert file.name in str(error)
