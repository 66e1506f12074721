"""Where pixels come from and keys go: X11 displays, displays in memory, desktops."""
