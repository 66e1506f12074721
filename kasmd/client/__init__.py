"""A client of /api/v1: `api.Client`, what it gives (`values`, `events`), `errors.Refused`."""
