"""tests/ mirrors kasmd/: the tests of a module are where one looks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

ROOT = Path(__file__).parents[1]
#: Modules in which nothing runs: names, numbers, shapes.
WORDS = {
    "client/errors", "errors", "interfaces", "rfb/limits",
    "rfb/messages", "rfb/numbers", "rfb/said", "screen/cursor", "web/api/schemas",
}
#: Parts that are met only together: the tests of the whole, and what they test.
TOGETHER = {
    "config/test_values": {"config/encoding"},
    "display/test_x11": {
        "display/x11_connect", "display/x11_cursor",
        "display/x11_resize", "display/x11_session", "display/watched",
    },
    "display/test_x11_capture": {"display/x11_images", "display/x11_shm"},
    "display/test_x11_clipboard": {"display/x11_selection"},
    "display/test_x11_connection": {"display/x11_received"},
    "display/test_upstream": {"display/upstream_clipboard", "display/upstream_line"},
    "display/test_service": {"display/x11_server"},
    "edge/test_dial": {"trust"},
    "edge/test_pool": {"edge/exchange", "edge/upstream"},
    "edge/test_relay": {"edge/passage"},
    "edge/test_splice": {"edge/end", "edge/splices"},
    "edge/test_webapp": {"edge/kasm"},
    "contracts/test_display": {"display/recorder"},
    "test_metrics": {"samples"},
    "test_processes": {"worker"},
    "test_tap": {"identity"},
    "viewer/test_protocol": {"viewer/surroundings"},
    "web/test_kasmvnc_api": {"web/kasmvnc_says", "web/kasmvnc_users"},
    "web/api/test_service": {
        "web/api/desktop", "web/api/document", "web/api/events", "web/api/operations",
        "web/api/problems", "web/api/proofs", "web/api/rights", "web/api/sessions",
    },
}
#: Tests of more than a module, beside live/ and contracts/.
WIDER = {
    "display/test_x11_audience", "h1/test_fuzz", "rfb/test_fuzz", "rfb/test_fuzz_upstream",
    "test_mirror", "permission/test_seat_rules", "viewer/test_calls",
    "viewer/test_protocol_leaving", "viewer/test_streaming_film", "viewer/test_streaming_kasm",
    "web/api/test_contract", "web/api/test_guide", "web/test_websockify_end",
}


def modules(folder: Path) -> Iterator[str]:
    """Give each module's place below ``folder``, without its suffix."""
    for path in sorted(folder.rglob("*.py")):
        if path.stem not in ("__init__", "__main__"):
            yield path.relative_to(folder).with_suffix("").as_posix()


def mirrored(module: str) -> str:
    """Give where the tests of a module belong."""
    folder, slash, name = module.rpartition("/")
    return f"{folder}{slash}test_{name}"


MODULES = set(modules(ROOT / "kasmd"))
TESTS = {test for test in modules(ROOT / "tests") if Path(test).name.startswith("test_")}
ELSEWHERE = WORDS.union(*TOGETHER.values())


def test_a_module_has_its_tests() -> None:
    without = sorted(module for module in MODULES - ELSEWHERE if mirrored(module) not in TESTS)
    assert not without, " ".join(without)


def test_a_test_has_its_module() -> None:
    of_modules = {mirrored(module) for module in MODULES}
    of_bench = {f"bench/{mirrored(module)}" for module in modules(ROOT / "bench")}
    others = TESTS - of_modules - of_bench - WIDER
    assert {test for test in others if test.split("/")[0] not in ("live", "contracts")} == set()


def test_no_exception_is_left_over() -> None:
    assert {module for module in ELSEWHERE if mirrored(module) in TESTS} == set()
    assert ELSEWHERE <= MODULES and TOGETHER.keys() | WIDER <= TESTS
