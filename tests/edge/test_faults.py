"""The table of failures: complete, distinct, and in words that exist."""

import re
from http import HTTPStatus
from pathlib import Path

from kasmd.edge.dial import Kind
from kasmd.edge.faults import FAULTS, LIMIT_OF
from kasmd.http.faults import FAULTS as COMMON

#: RFC 9209 section 2.3.
ERRORS = {
    "dns_timeout", "dns_error", "destination_not_found", "destination_unavailable",
    "destination_ip_prohibited", "destination_ip_unroutable", "connection_refused",
    "connection_terminated", "connection_timeout", "connection_read_timeout",
    "connection_write_timeout", "connection_limit_reached", "tls_protocol_error",
    "tls_certificate_error", "tls_alert_received", "http_request_error", "http_request_denied",
    "http_response_incomplete", "http_response_header_section_size", "http_response_header_size",
    "http_response_body_size", "http_response_trailer_section_size",
    "http_response_trailer_size", "http_response_transfer_coding",
    "http_response_content_coding", "http_response_timeout", "http_upgrade_failed",
    "http_protocol_error", "proxy_internal_response", "proxy_internal_error",
    "proxy_configuration_error", "proxy_loop_detected",
}  # fmt: skip
#: What the issue asks to be told apart.
TOLD_APART = (
    "no-cookie", "foreign-cookie", "expired-cookie", "cookie-conflict", "no-such-session",
    "session-starting", "upstream-refused", "upstream-silent", "upstream-nonsense",
    "auth-service-down",
)  # fmt: skip


def test_every_fault_says_all():
    for word, fault in FAULTS.items():
        assert fault.word == word and HTTPStatus(fault.status)
        assert fault.title and fault.why and fault.remedy
        assert not fault.error or fault.error in ERRORS


def test_what_must_be_told_apart_is():
    faults = [FAULTS[word] for word in TOLD_APART]
    assert len({fault.title for fault in faults}) == len(faults)
    assert len({(fault.status, fault.error) for fault in faults}) >= len(faults) - 1


def test_every_kind_of_an_upstreams_failure_has_its_fault():
    assert all(kind.value in FAULTS for kind in Kind)
    assert LIMIT_OF.keys() <= FAULTS.keys()


def test_what_can_go_wrong_at_any_face_is_the_same_here():
    assert FAULTS.items() >= COMMON.items()


def test_the_operators_table_is_true():
    text = Path(__file__).parents[2].joinpath("docs", "operating.rst").read_text()
    table = text.partition("When it does not work\n")[2].partition("\nSignals\n")[0]
    rows = re.findall(r"^``([a-z-]+)`` +(\d+)  ", table, re.MULTILINE)
    assert len(rows) > 10
    for word, status in rows:
        assert FAULTS[word].status == int(status), word
