"""Bytes to RFB messages and back, without I/O.

A *session* (`server.ServerSession`, `client.ClientSession`) is fed bytes, gives
*events* (`messages`) and bytes to send.  A *script* is a generator that asks a
*reader* (`wire`) for blocks.  A *dialect* is what KasmVNC's client does
differently; *capabilities* are what a client's SetEncodings says.
"""
