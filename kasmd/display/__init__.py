"""Where pixels come from and keys go: X11, memory, and the desktop service."""
