"""What may change while the daemon runs: /settings, with If-Match."""

from __future__ import annotations

from typing import Any, Callable, Mapping, NamedTuple, Optional, Sequence

from kasmd.http.server import Response
from kasmd.log.audit import audited
from kasmd.rights import Right
from kasmd.web.api.operations import Call, Operation, told
from kasmd.web.api.problems import Wrong, unfit
from kasmd.web.api.schemas import SCHEMAS, ref
from kasmd.web.api.tags import check_match, tag_of

_NUMBERS: Mapping[str, Callable[[Any], Any]] = {"integer": int, "number": float}


class Setting(NamedTuple):
    """One value: what it is now, and what makes it another at once.

    ``name`` is one of the schema's Settings; ``check`` raises ValueError for what
    the schema cannot say.
    """

    name: str
    read: Callable[[], Any]
    apply: Callable[[Any], object]
    check: Optional[Callable[[Any], object]] = None


class Settings:
    """All of ``settings``, one resource."""

    def __init__(self, settings: Sequence[Setting]) -> None:
        self._settings = settings

    def operations(self) -> tuple[Operation, ...]:
        """Give what is offered."""
        return (
            Operation("get_settings", "GET", "/settings", "What can be changed at run time.",
                      Right.MANAGE, self.get, answer=ref("Settings"), tagged=True),
            Operation("patch_settings", "PATCH", "/settings",
                      "Change what is named, for everyone who is here too, until the daemon ends.",
                      Right.MANAGE, self.patch, ref("SettingsPatch"), ref("Settings"),
                      problems=(412,), tagged=True),
        )

    def get(self, call: Call) -> Response:
        """Answer with what holds."""
        values = self._values()
        return told(values, 200, (b"ETag", tag_of(values)))

    def patch(self, call: Call) -> Response:
        """Change what is named, all or nothing."""
        before = self._values()
        check_match(call, tag_of(before), "settings are")
        wanted = {name: _of_its_kind(name, value) for name, value in call.body.items()}
        self._check(wanted)
        for setting in self._settings:
            old, new = before[setting.name], wanted.get(setting.name, before[setting.name])
            if new != old:
                setting.apply(new)
                audited("setting", setting.name, "changed", str(old), str(new))
        return self.get(call)

    def _check(self, wanted: Mapping[str, Any]) -> None:
        wrong = []
        for setting in self._settings:
            if setting.check is not None and setting.name in wanted:
                try:
                    setting.check(wanted[setting.name])
                except ValueError as error:
                    wrong.append(Wrong(f"/{setting.name}", str(error)))
        if wrong:
            raise unfit(wrong)

    def _values(self) -> dict[str, Any]:
        return {setting.name: setting.read() for setting in self._settings}


def _of_its_kind(name: str, value: Any) -> Any:
    """Give 5 for 5.0 where an integer is meant, which JSON does not tell apart."""
    kinds = SCHEMAS["Settings"]["properties"][name]["type"]
    kind = kinds if isinstance(kinds, str) else kinds[0]
    same = value is None or kind not in _NUMBERS
    return value if same else _NUMBERS[kind](value)
