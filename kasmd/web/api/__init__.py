"""Our own owner API, /api/v1: one table of operations, its document, its resources."""
