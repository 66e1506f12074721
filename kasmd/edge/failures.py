"""A failure on the way to a desktop: raised by its word, and shown with its Proxy-Status."""

from __future__ import annotations

from kasmd.edge.faults import FAULTS, LIMIT_OF
from kasmd.h1.fields import is_token
from kasmd.http.failures import FailurePage, Refusal
from kasmd.http.problems import Headers, Problem


def refusal(
    word: str, headers: Headers = (), detail: str = "", limit: str = ""
) -> Refusal:
    """Give the fault of this name, to be raised."""
    return Refusal(FAULTS[word], headers, detail, limit or LIMIT_OF.get(word, ""))


class HopFailure(FailurePage):
    """Says besides, to the proxies before us, which hop failed and how (RFC 9209)."""

    def __init__(self, problem: Problem, hop: bytes, request_id: str) -> None:
        super().__init__(problem, hop, request_id)
        fault = self.fault
        if fault.error:
            name = hop if is_token(hop) else b'"%b"' % hop
            value = f'; error={fault.error}; details="{fault.word}"'
            self.headers = (*self.headers, (b"Proxy-Status", name + value.encode("ascii")))
