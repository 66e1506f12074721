"""What a server said instead of doing what was asked."""

from __future__ import annotations

from typing import Any, Mapping

from kasmd.errors import KasmdError


class Refused(KasmdError):
    """An answer with a status of 400 or more (RFC 9457).

    ``fields`` has what is wrong, by JSON pointer or the parameter's name.
    """

    def __init__(self, status: int, detail: str, errors: list[dict[str, str]]) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.fields: Mapping[str, str] = {each["field"]: each["detail"] for each in errors}


def refusal(status: int, value: Any) -> Refused:
    """Read a problem, or whatever stands in its place."""
    if not isinstance(value, dict):
        return Refused(status, "", [])
    return Refused(status, str(value.get("detail", "")), list(value.get("errors", [])))
