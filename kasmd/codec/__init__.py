"""Pixels to rectangle payloads and back: one encoding a file."""
