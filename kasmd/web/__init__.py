"""The desktop's own site: the page, the client files and /websockify."""
