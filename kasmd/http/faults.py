"""What can go wrong at any face: one table, one word for each."""

from __future__ import annotations

from typing import Callable, NamedTuple, TypeVar

from kasmd.http.problems import Headers, Problem

P = TypeVar("P", bound=Problem)


class Fault(NamedTuple):
    """One kind of failure, as people and programs are told of it."""

    #: What logs, tests and callers of the API know it by.
    word: str
    status: int
    #: RFC 9209 section 2.3, or empty where no proxy failed.
    error: str
    title: str
    why: str
    remedy: str
    #: Seconds after which the page asks again by itself; 0: it does not.
    again: int = 0

    @property
    def headers(self) -> Headers:
        """The fields of an answer that says so."""
        return [(b"Retry-After", b"%d" % self.again)] if self.again else ()

    @property
    def said(self) -> str:
        """Why and what to do, for an answer that has one text."""
        return f"{self.why} {self.remedy}"

    def told_as(self, kind: Callable[..., P]) -> P:
        """Give the `Problem` of this kind that says so."""
        return kind(self.status, self.said, self.headers, word=self.word)


#: What to do, where it is somebody else who can.
ASK = "Ask whoever runs this site, and give them the request id below."
TELL = "If it stays so, tell whoever runs this site the request id below."
WAIT = f"Try again in a minute. {TELL}"

_TABLE = (
    Fault("not-logged-in", 401, "http_request_denied", "You are not logged in",
          "A name and a password are needed, or a log-in that is not over.",
          "Log in, then open the desktop."),
    Fault("not-allowed", 403, "http_request_denied", "You may not do this",
          "What was asked for needs a right that you do not have here.",
          "Ask the desktop's owner for it."),
    Fault("foreign-page", 403, "http_request_denied", "Refused: another site's page asked",
          "A page of a site that is not on this site's list asked for this in your name.",
          "Open the desktop at its own address. Whoever runs this site can list the other one."),
    Fault("https-only", 403, "http_request_denied", "This address is for https",
          "The connection was not secure, and this site takes no others.",
          "Begin the address with https://."),
    Fault("locked-out", 429, "http_request_denied", "Too many attempts",
          "There were too many wrong passwords, or too many requests, from your address.",
          "Wait, then try once more."),
    Fault("bad-request", 400, "http_request_error", "The request makes no sense",
          "It is not HTTP as it must be.", "Load the page again."),
    Fault("body-too-large", 413, "http_request_error", "Too much was sent",
          "What was sent is larger than this site takes.",
          "Send less at a time. Whoever runs this site can raise the limit."),
    Fault("header-too-large", 431, "http_request_error", "The request's header is too large",
          "Most of it are cookies: this site and the sites above it set too many, or too large.",
          "Remove the cookies of this site and of the sites above it, then log in again."),
    Fault("address-too-long", 414, "http_request_error", "The address is too long",
          "It is longer than this site takes.", "Check where the address comes from."),
    Fault("no-such-page", 404, "", "There is nothing at this address",
          "The address is not right, or what it named is gone.", "Check the address."),
    Fault("no-such-method", 405, "", "This cannot be done here",
          "The address exists, but it does not take this method.", "Check what is asked for."),
    Fault("websocket-only", 426, "http_request_error", "There is no page at this address",
          "The desktop's picture comes this way, over a websocket.",
          "Open the site's first page, in a current browser. Where that does not help, a proxy or a"
          f" firewall in between lets no websockets pass. {TELL}"),
    Fault("mistake", 500, "proxy_internal_error", "This site made a mistake",
          "Something here went wrong that should not.", ASK),
    Fault("busy", 503, "", "Too much to do at the moment",
          "More is asked for than this site can do at once.", WAIT),
    Fault("accounts-busy", 503, "", "The accounts are being written",
          "Another program has them to itself, or the disk is slow.", "Try again in a second.", 1),
)  # fmt: skip

FAULTS = {fault.word: fault for fault in _TABLE}

#: What a `Problem` of this status is, where it does not say itself.
OF_STATUS = {
    400: "bad-request", 401: "not-logged-in", 403: "not-allowed", 404: "no-such-page",
    405: "no-such-method", 413: "body-too-large", 414: "address-too-long", 426: "websocket-only",
    429: "locked-out", 431: "header-too-large", 500: "mistake", 503: "busy",
}  # fmt: skip
