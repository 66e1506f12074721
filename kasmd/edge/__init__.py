"""THE REVERSE PROXY: one address, many desktops.

An `Authoriser` says whether a `Request` is `Allowed`, and to which
`Upstream` it goes; a `Relay` carries it there and the answer back, and a
`Splice` joins the two connections of a websocket.
"""
