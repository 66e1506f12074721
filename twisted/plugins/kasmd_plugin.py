"""``twistd kasmd``."""

from twisted.application.service import ServiceMaker

kasmd = ServiceMaker(
    "kasmd",
    "kasmd.tap",
    "A desktop in any browser, for many people at once.",
    "kasmd",
)
