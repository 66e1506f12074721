"""BYTES <-> HTTP/1.1 MESSAGES (RFC 9112), read the same way on every hop.

A `ServerSession` reads requests, a `ClientSession` the answers to them; both
give a head, then the pieces of its body, then its end.  `Fields` are header
fields, a `Framing` says how a body's end is found.
"""
