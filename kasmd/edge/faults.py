"""What can go wrong on the way to a desktop: one table, one word for each."""

from __future__ import annotations

from typing import NamedTuple


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


_LOG_IN = "Log in again, then open the desktop from there."
_ASK = "Ask whoever runs this site, and give them the request id below."
_WAIT = "Try again in a minute. If it stays so, tell whoever runs this site the request id below."

_TABLE = (
    # Who is asking.
    Fault("no-cookie", 401, "http_request_denied", "You are not logged in",
          "Your browser sent no session cookie, or blocked it.",
          "Log in, then open the desktop from there. Inside another site's page, allow this"
          " site's cookies or open the desktop in a window of its own."),
    Fault("not-logged-in", 401, "http_request_denied", "You are not logged in",
          "A name and a password are needed, or a log-in that is not over.",
          "Log in, then open the desktop."),
    Fault("expired-cookie", 401, "http_request_denied", "Your session is over",
          "The session cookie was good once and is not any more.", _LOG_IN),
    Fault("foreign-cookie", 403, "http_request_denied", "This desktop is not yours",
          "You are logged in, but not as somebody who may use this desktop.",
          "Log in as its owner, or ask its owner to share it with you."),
    Fault("cookie-conflict", 409, "http_request_denied", "Your browser sent two logins at once",
          "It has two cookies of one name, set for two addresses, and nobody can tell which counts."
          " Those that this address may remove were removed.",
          "Log in again. If this comes back, remove the cookies of this site and of the sites"
          " above it, or use a private window."),
    Fault("ticket-refused", 403, "http_request_denied", "The hop before us is not believed",
          "It sent a ticket that is over, or signed by somebody else, or for something else.",
          _ASK),
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
    # Where it should go.
    Fault("no-such-session", 404, "destination_not_found", "There is no such desktop",
          "The desktop was ended, or the address is not right.",
          "Start it again, or check the address."),
    Fault("session-starting", 503, "destination_unavailable", "The desktop is starting",
          "It was asked for and is not ready yet.",
          "You need do nothing: this page asks again by itself.", 3),
    # The way there.
    Fault("name-not-resolved", 502, "dns_error", "The desktop's host has no address",
          "The name of the desktop's host could not be resolved from here.", _ASK),
    Fault("name-slow", 504, "dns_timeout", "The name service does not answer",
          "The name of the desktop's host was not resolved in time.", _WAIT),
    Fault("upstream-refused", 502, "connection_refused", "The desktop refused the connection",
          "Its host was reached, but nothing listens at the desktop's port.",
          "The desktop may have crashed: start it again. If that does not help, ask whoever runs"
          " this site: its port may be set wrongly."),
    Fault("upstream-unreachable", 502, "destination_ip_unroutable",
          "There is no way to the desktop",
          "The network between here and the desktop's host is down, or a firewall rejects it.",
          _ASK),
    Fault("upstream-unanswered", 504, "connection_timeout",
          "The desktop's host does not answer",
          "No connection came about in time: the host is down, or a firewall drops what is sent.",
          _WAIT),
    Fault("upstream-tls", 502, "tls_protocol_error", "No secure connection to the desktop",
          "What listens at the desktop's port does not speak TLS as it should.", _ASK),
    Fault("upstream-untrusted", 502, "tls_certificate_error",
          "The desktop's certificate is not trusted",
          "Its key or its name is not the one that it must have, or nobody trusted signed it.",
          _ASK),
    Fault("upstream-closed", 502, "connection_terminated", "The desktop closed the connection",
          "It took the request and ended the connection without an answer.", _WAIT),
    Fault("upstream-silent", 504, "http_response_timeout", "The desktop does not answer",
          "It took the request and said nothing in time.", _WAIT),
    Fault("upstream-nonsense", 502, "http_protocol_error", "The desktop's answer makes no sense",
          "What came from the desktop's port is not HTTP as it must be.", _ASK),
    Fault("upstream-cut", 502, "http_response_incomplete", "The desktop's answer was cut short",
          "The connection ended in the middle of an answer.", _WAIT),
    Fault("upstream-busy", 503, "connection_limit_reached", "Too many wait for this desktop",
          "All connections that may be open to it are in use, or the machine has no more.",
          _WAIT, 10),
    Fault("credential-refused", 502, "http_request_denied", "The desktop refused our credential",
          "You were let in here, but the desktop did not take the credential that this site"
          " has for it.", _ASK),
    Fault("upgrade-refused", 502, "http_upgrade_failed", "The desktop's websocket makes no sense",
          "The desktop did not answer the websocket's handshake as it must.", _ASK),
    Fault("loop", 502, "proxy_loop_detected", "The request goes in a circle",
          "It came through so many proxies that one of them must send it back to another.", _ASK),
    Fault("auth-service-down", 500, "proxy_internal_error", "Nobody can say whether you may pass",
          "The service that decides it did not answer, so nobody is let in.", _WAIT, 15),
    # What was asked.
    Fault("bad-request", 400, "http_request_error", "The request makes no sense",
          "It is not HTTP as it must be.", "Load the page again."),
    Fault("body-slow", 408, "http_request_error", "The rest of what you sent never came",
          "The connection to you stopped in the middle of what was sent.",
          "Check your connection, then try again."),
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
    Fault("mistake", 500, "proxy_internal_error", "This site made a mistake",
          "Something here went wrong that should not.", _ASK),
)  # fmt: skip

FAULTS = {fault.word: fault for fault in _TABLE}

#: The limits of an edge that its faces do not have, as metrics name them, and the
#: faults that tell of a limit.
LIMITS = (
    "connect_seconds", "answer_seconds", "body_idle_seconds", "upstream_connections",
)
LIMIT_OF = {
    "name-slow": "connect_seconds", "upstream-unanswered": "connect_seconds",
    "upstream-silent": "answer_seconds", "body-slow": "body_idle_seconds",
    "upstream-busy": "upstream_connections", "body-too-large": "body_bytes",
}

#: What a `Problem` of this status is, where it does not say itself.
OF_STATUS = {
    400: "bad-request", 401: "not-logged-in", 403: "not-allowed", 404: "no-such-page",
    405: "no-such-method", 413: "body-too-large", 414: "address-too-long", 429: "locked-out",
    431: "header-too-large", 500: "mistake",
}  # fmt: skip
