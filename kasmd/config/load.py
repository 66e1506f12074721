"""Reads the file, and says all that is wrong with it at once, each with its line.

``${NAME}`` in a value (not in a list) is the environment's, as in KasmVNC; a
name that is not set is an error.  A blank value is the default.
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import replace
from typing import Iterator, Mapping, Optional

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from kasmd.config.kasmvnc import UNSUPPORTED
from kasmd.config.kinds import Raw
from kasmd.config.schema import build, options
from kasmd.config.values import AUTO, Configuration
from kasmd.errors import ConfigError

#: Bytes; a file with every option is 6 KiB.
FILE_LIMIT = 1 << 18

_OPTIONS = dict(options(Configuration))
_NULL = "tag:yaml.org,2002:null"


def _sections_of(keys: Iterator[str]) -> frozenset[str]:
    return frozenset(key[: dot.start()] for key in keys for dot in re.finditer(r"\.", key))


_SECTIONS = _sections_of(iter(_OPTIONS))
_UNSUPPORTED_SECTIONS = _sections_of(iter(UNSUPPORTED))


def load(path: Optional[str], environ: Mapping[str, str]) -> Configuration:
    """Read ``path``, or take the defaults where it is None (ConfigError)."""
    reading = _Reading(path or "defaults", environ)
    if path is not None:
        root = _compose(path, _text(path))
        if root is not None:
            reading.section(root, "")
    configuration = reading.result(Configuration)
    return _resolved(configuration, environ)


class _Reading:
    """One walk over the file: the values that were found and what is wrong."""

    def __init__(self, path: str, environ: Mapping[str, str]) -> None:
        self._path = path
        self._environ = environ
        self._given: dict[str, object] = {}
        self._lines: dict[str, int] = {}
        self._problems: list[tuple[int, str]] = []

    def result(self, values: type[Configuration]) -> Configuration:
        """Give the values, or raise ConfigError with every problem in the file's order."""
        configuration = build(values, self._given)
        if not self._problems:
            for key, text in _contradictions(configuration):
                self._problem(self._lines.get(key, 0), f"{key}: {text}")
        if self._problems:
            raise ConfigError("\n".join(self._said(*each) for each in sorted(self._problems)))
        return configuration

    def section(self, node: Node, name: str) -> None:
        """Read a mapping of keys; a blank one has none."""
        line = node.start_mark.line + 1
        if _is_blank(node):
            return
        if not isinstance(node, MappingNode):
            self._problem(line, f"{name or 'the file'}: must hold keys, each with its value")
            return
        seen: dict[str, int] = {}
        for key_node, value in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self._problem(line, f"{name or 'the file'}: a key must be a word")
                continue
            key = f"{name}.{key_node.value}" if name else key_node.value
            if key in seen:
                self._problem(line, f"{_shown(key)}: is already in line {seen[key]}")
                continue
            seen[key] = line
            self._key(key, value, line)

    def _key(self, key: str, node: Node, line: int) -> None:
        if key in _OPTIONS:
            self._option(key, node, line)
        elif key in _SECTIONS or key in _UNSUPPORTED_SECTIONS:
            self.section(node, key)
        elif key in UNSUPPORTED:
            text = "known to KasmVNC, not supported by this version of kasmd"
            self._problem(line, f"{key}: {text}")
        else:
            self._problem(line, f"{_shown(key)}: unknown key{_hint(key)}")

    def _option(self, key: str, node: Node, line: int) -> None:
        self._lines[key] = line
        if _is_blank(node):
            return
        try:
            raw = self._raw(node)
        except ValueError as error:
            self._problem(line, f"{key}: {error}")
            return
        try:
            self._given[key] = _OPTIONS[key](raw)
        except ValueError as error:
            self._problem(line, f"{key}: {_shown(raw)} {error}")

    def _raw(self, node: Node) -> Raw:
        if isinstance(node, ScalarNode):
            return re.sub(r"\$\{(\w+)\}", self._variable, node.value)
        if isinstance(node, SequenceNode):
            if all(isinstance(item, ScalarNode) for item in node.value):
                return [item.value for item in node.value]
            raise ValueError("must be a plain list")
        raise ValueError("must be a value, and holds keys")

    def _variable(self, match: re.Match[str]) -> str:
        if match[1] not in self._environ:
            raise ValueError(f"the environment has no {match[1]}")
        return self._environ[match[1]]

    def _problem(self, line: int, text: str) -> None:
        self._problems.append((line, text))

    def _said(self, line: int, text: str) -> str:
        return f"{self._path}:{line}: {text}" if line else f"{self._path}: {text}"


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(FILE_LIMIT + 1)
        if len(content) > FILE_LIMIT:
            raise ConfigError(f"{path}: is larger than {FILE_LIMIT} bytes")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8") from None


def _compose(path: str, text: str) -> Optional[Node]:
    """Give the tree of the file's nodes, which know their lines."""
    try:
        return YAML(typ="rt", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark is not None else path
        raise ConfigError(f"{where}: {error.problem or error.context}") from None
    except YAMLError as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply") from None


def _is_blank(node: Node) -> bool:
    return isinstance(node, ScalarNode) and str(node.tag) == _NULL


def _shown(raw: object) -> str:
    shown = raw if isinstance(raw, str) and re.fullmatch(r"[\w.]+", raw) else ascii(raw)
    return shown if len(shown) <= 100 else f"{shown[:100]}..."


def _hint(key: str) -> str:
    near = difflib.get_close_matches(key, [*_OPTIONS, *_SECTIONS], n=1, cutoff=0.8)
    leaf = key.rpartition(".")[2]
    near += [name for name in _OPTIONS if name.rpartition(".")[2] == leaf]
    return f", did you mean {near[0]}?" if near else ""


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
    size, most = values.desktop.resolution, display.max_resolution
    if size.width > most.width or size.height > most.height:
        yield "desktop.resolution.width", "must be within display.max_resolution"


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
