"""Settings over the API: read, changed all or nothing, and written down."""

from __future__ import annotations

from typing import Any

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from kasmd.config.values import Configuration
from kasmd.log import output
from kasmd.log.audit import AUDIT
from kasmd.web.api.schemas import SCHEMAS
from tests.web.api.site import SETTINGS, Served

#: What is said in the file by another name, or only in part.
PLACES = {
    "log_level": "logging.level",
    "desktop_name": "legacy.desktop_name",
    "allow_resize": "desktop.allow_resize",
    "max_frame_rate": "encoding.max_frame_rate",
    "max_bandwidth": "encoding.max_bandwidth",
    "viewers": "limits.viewers",
    "stalled_viewer_seconds": "limits.stalled_viewer_seconds",
    "clipboard_bytes": "limits.clipboard_bytes",
    "blacklist_threshold": "security.brute_force_protection.blacklist_threshold",
    "blacklist_timeout": "security.brute_force_protection.blacklist_timeout",
}


class Tests(Served, TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(output.set_level, output.level())

    async def test_a_change(self) -> None:
        said: list[str] = []

        def hear(event: Any) -> None:
            if event.get("log_namespace") == AUDIT:
                said.append(str(event["record"]))

        globalLogPublisher.addObserver(hear)
        self.addCleanup(globalLogPublisher.removeObserver, hear)
        before = await self.ask("GET", "/settings")
        self.assertEqual(before.json, {"log_level": output.level(), **SETTINGS})
        answer = await self.ask("PATCH", "/settings", {
            "log_level": 100, "viewers": 5.0, "blacklist_timeout": 3, "max_frame_rate": 60})
        self.assertEqual(answer.json, {
            **before.json, "log_level": 100, "viewers": 5, "blacklist_timeout": 3.0})
        self.assertEqual(output.level(), 100)
        self.assertIs(type(self.settings["viewers"]), int)
        self.assertEqual([line.partition(", by")[0] for line in said], [
            f'setting "log_level": changed {before.json["log_level"]} -> 100',
            'setting "viewers": changed 200 -> 5',
            'setting "blacklist_timeout": changed 10.0 -> 3.0',
        ])

    async def test_all_or_nothing(self) -> None:
        for wrong, field in (
            ({"log_level": 101}, "/log_level"), ({"max_frame_rate": 0}, "/max_frame_rate"),
            ({"desktop_name": " "}, "/desktop_name"), ({"desktop_name": "a\nb"}, "/desktop_name"),
            ({"max_bandwidth": 7}, "/max_bandwidth"), ({"viewers": None}, "/viewers"),
            ({"allow_resize": 1}, "/allow_resize"), ({"colour": "red"}, "/colour"),
        ):
            answer = await self.ask("PATCH", "/settings", {"viewers": 5, **wrong})
            self.assertEqual((answer.status, answer.fields), (422, [field]), wrong)
        self.assertEqual(self.settings, SETTINGS)

    async def test_what_may_be_none(self) -> None:
        for value in (2000.0, None):
            answer = await self.ask("PATCH", "/settings", {"max_bandwidth": value})
            self.assertEqual(answer.json["max_bandwidth"], value)
        self.assertIsNone(self.settings["max_bandwidth"])

    async def test_if_match(self) -> None:
        tag = (await self.ask("GET", "/settings")).headers["ETag"]
        first = await self.ask("PATCH", "/settings", {"viewers": 5}, If_Match=tag)
        again = await self.ask("PATCH", "/settings", {"viewers": 6}, If_Match=tag)
        self.assertEqual((first.status, again.status), (200, 412))
        self.assertEqual(self.settings["viewers"], 5)
        self.assertNotEqual(first.headers["ETag"], tag)

    async def test_nobody_else(self) -> None:
        for method, body in (("GET", None), ("PATCH", {"viewers": 1})):
            self.assertEqual((await self.ask(method, "/settings", body, "writer")).status, 403)

    def test_ranges_are_the_files(self) -> None:
        for name, schema in SCHEMAS["Settings"]["properties"].items():
            *sections, key = PLACES[name].split(".")
            section: Any = Configuration()
            for each in sections:
                section = getattr(section, each)
            convert = type(section).__dataclass_fields__[key].metadata["kind"]
            for bound, beyond in (("minimum", -1), ("maximum", 1)):
                if bound in schema:
                    self.assertEqual(convert(str(schema[bound])), schema[bound])
                    with self.assertRaises(ValueError):
                        convert(str(schema[bound] + beyond))
