"""Bytes to RFB messages and back, without I/O."""
