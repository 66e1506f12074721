"""What can go wrong on the way to a desktop, besides what can at any face: one word for each."""

from __future__ import annotations

from kasmd.http.faults import ASK
from kasmd.http.faults import FAULTS as COMMON
from kasmd.http.faults import WAIT, Fault

_LOG_IN = "Log in again, then open the desktop from there."

_TABLE = (
    # Who is asking.
    Fault("no-cookie", 401, "http_request_denied", "You are not logged in",
          "Your browser sent no session cookie, or blocked it.",
          "Log in, then open the desktop from there. Inside another site's page, allow this"
          " site's cookies or open the desktop in a window of its own."),
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
          ASK),
    # Where it should go.
    Fault("no-such-session", 404, "destination_not_found", "There is no such desktop",
          "The desktop was ended, or the address is not right.",
          "Start it again, or check the address."),
    Fault("session-starting", 503, "destination_unavailable", "The desktop is starting",
          "It was asked for and is not ready yet.",
          "You need do nothing: this page asks again by itself.", 3),
    # The way there.
    Fault("name-not-resolved", 502, "dns_error", "The desktop's host has no address",
          "The name of the desktop's host could not be resolved from here.", ASK),
    Fault("name-slow", 504, "dns_timeout", "The name service does not answer",
          "The name of the desktop's host was not resolved in time.", WAIT),
    Fault("upstream-refused", 502, "connection_refused", "The desktop refused the connection",
          "Its host was reached, but nothing listens at the desktop's port.",
          "The desktop may have crashed: start it again. If that does not help, ask whoever runs"
          " this site: its port may be set wrongly."),
    Fault("upstream-unreachable", 502, "destination_ip_unroutable",
          "There is no way to the desktop",
          "The network between here and the desktop's host is down, or a firewall rejects it.",
          ASK),
    Fault("upstream-unanswered", 504, "connection_timeout",
          "The desktop's host does not answer",
          "No connection came about in time: the host is down, or a firewall drops what is sent.",
          WAIT),
    Fault("upstream-tls", 502, "tls_protocol_error", "No secure connection to the desktop",
          "What listens at the desktop's port does not speak TLS as it should.", ASK),
    Fault("upstream-untrusted", 502, "tls_certificate_error",
          "The desktop's certificate is not trusted",
          "Its key or its name is not the one that it must have, or nobody trusted signed it.",
          ASK),
    Fault("upstream-closed", 502, "connection_terminated", "The desktop closed the connection",
          "It took the request and ended the connection without an answer.", WAIT),
    Fault("upstream-silent", 504, "http_response_timeout", "The desktop does not answer",
          "It took the request and said nothing in time.", WAIT),
    Fault("upstream-nonsense", 502, "http_protocol_error", "The desktop's answer makes no sense",
          "What came from the desktop's port is not HTTP as it must be.", ASK),
    Fault("upstream-cut", 502, "http_response_incomplete", "The desktop's answer was cut short",
          "The connection ended in the middle of an answer.", WAIT),
    Fault("upstream-busy", 503, "connection_limit_reached", "Too many wait for this desktop",
          "All connections that may be open to it are in use, or the machine has no more.",
          WAIT, 10),
    Fault("credential-refused", 502, "http_request_denied", "The desktop refused our credential",
          "You were let in here, but the desktop did not take the credential that this site"
          " has for it.", ASK),
    Fault("upgrade-refused", 502, "http_upgrade_failed", "The desktop's websocket makes no sense",
          "The desktop did not answer the websocket's handshake as it must.", ASK),
    Fault("loop", 502, "proxy_loop_detected", "The request goes in a circle",
          "It came through so many proxies that one of them must send it back to another.", ASK),
    Fault("auth-service-down", 500, "proxy_internal_error", "Nobody can say whether you may pass",
          "The service that decides it did not answer, so nobody is let in.", WAIT, 15),
    # What was asked.
    Fault("body-slow", 408, "http_request_error", "The rest of what you sent never came",
          "The connection to you stopped in the middle of what was sent.",
          "Check your connection, then try again."),
)  # fmt: skip

FAULTS = {**COMMON, **{fault.word: fault for fault in _TABLE}}

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
