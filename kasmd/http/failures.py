"""A failure as it is shown: who failed, why, what to do, and the request's id.

    -> Accept: ...json...    <- application/problem+json (RFC 9457)
    -> Accept: text/html     <- a page that needs nothing else
    -> anything else         <- plain text

What an upstream or a client said is text for people, and never markup.  A body whose form
programs rely on (`Problem.fixed`) stays as it is.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from html import escape
from pathlib import Path
from string import Template

from kasmd.http.faults import FAULTS, OF_STATUS, TELL, Fault
from kasmd.http.problems import Headers, Problem
from kasmd.log.text import quoted

_PAGE = Path(__file__).with_name("page").joinpath("failure.html").read_text("utf-8")
_TEMPLATE = Template(_PAGE)
_STYLE = _PAGE.partition("<style>")[2].partition("</style>")[0]
_STYLE_HASH = b64encode(hashlib.sha256(_STYLE.encode("utf-8")).digest())
#: It has no script, no form and nothing to be clicked in somebody's name, so other pages may
#: show it in their frames: people see why the desktop is not there.
_POLICY = (
    b"Content-Security-Policy",
    b"default-src 'none'; style-src 'sha256-%b'; base-uri 'none'; form-action 'none'" % _STYLE_HASH,
)
#: Of what others said in a page or a log.
_MAX_DETAIL = 200


class Refusal(Problem):
    """A fault of the table; ``said`` is what is known of this case, for people."""

    def __init__(
        self, fault: Fault, headers: Headers = (), said: str = "", limit: str = ""
    ) -> None:
        said = quoted(said, _MAX_DETAIL).rstrip(".")
        why = f"{fault.why.removesuffix('.')}: {said}." if said else fault.why
        super().__init__(fault.status, why, headers, limit, fault.word)
        self.fault = fault


class FailurePage(Problem):
    """A problem together with who (``hop``) says so and for which request."""

    def __init__(self, problem: Problem, hop: bytes, request_id: str) -> None:
        self.fault = _fault(problem)
        detail = problem.detail
        if detail.removesuffix(".") == self.fault.title:
            detail = self.fault.why
        super().__init__(problem.status, detail, (), problem.limit, self.fault.word)
        self._hop = hop.decode("ascii")
        self._request_id = request_id
        self.headers = (*problem.headers, _POLICY, *self.fault.headers)

    @property
    def title(self) -> str:
        """What happened, in a few words."""
        return self.fault.title

    def rendered(self, accept: bytes) -> tuple[bytes, bytes]:
        """Give (content type, body) as ``accept`` prefers."""
        if b"json" in accept:
            return b"application/problem+json", json.dumps(self._members()).encode("ascii")
        if b"text/html" in accept:
            return b"text/html; charset=utf-8", self._page().encode("utf-8")
        lines = (
            f"{self.status} {self.title}", self.detail, self.fault.remedy, "",
            f"reason: {self.fault.word}", f"said by: {self._hop}", f"request: {self._request_id}",
        )  # fmt: skip
        return b"text/plain; charset=utf-8", "\n".join((*lines, "")).encode("utf-8", "replace")

    def _members(self) -> dict[str, object]:
        return {
            "status": self.status,
            "title": self.title,
            "detail": self.detail,
            "code": self.fault.word,
            "remedy": self.fault.remedy,
            "hop": self._hop,
            "request_id": self._request_id,
        }

    def _page(self) -> str:
        fault = self.fault
        refresh = f'\n  <meta http-equiv="refresh" content="{fault.again}">' if fault.again else ""
        texts = {
            "title": self.title, "why": self.detail, "remedy": fault.remedy, "word": fault.word,
            "status": str(self.status), "hop": self._hop, "request_id": self._request_id,
        }  # fmt: skip
        return _TEMPLATE.substitute(
            {name: escape(text) for name, text in texts.items()},
            refresh=refresh,
            kind=" again" if fault.again else "",
        )


def explained(problem: Problem, hop: bytes, request_id: str) -> Problem:
    """Give what is shown in the place of ``problem``."""
    return problem if problem.fixed else FailurePage(problem, hop, request_id)


def _fault(problem: Problem) -> Fault:
    if isinstance(problem, (Refusal, FailurePage)):
        return problem.fault
    known = FAULTS.get(problem.word or OF_STATUS.get(problem.status, ""))
    if known is not None:
        return known
    remedy = f"Load the page again. {TELL}"
    return Fault("refused", problem.status, "", problem.title, problem.detail, remedy)
