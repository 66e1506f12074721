"""Composition of the rules against the loss of data."""

from __future__ import annotations

from typing import Any, Optional

from twisted.application.internet import TimerService
from twisted.application.service import MultiService

from kasmd.config import data_loss as keys
from kasmd.config.data_loss import DataLossPrevention
from kasmd.interfaces import IWorker
from kasmd.permission.dlp import Rules, VisibleRegion, Way
from kasmd.permission.dlp_log import Level
from kasmd.permission.prevention import Prevention
from kasmd.permission.watermark import Watermark

#: Seconds after which a watermark that tells the time is looked at again.
REFRESH_SECONDS = 1.0


def compose_data_loss(
    values: DataLossPrevention, worker: IWorker, reactor: Any, daemon: MultiService
) -> Prevention:
    """Make the rules of these values; a watermark's clock is ``daemon``'s (ConfigError)."""
    prevention = Prevention(rules_of(values), worker)
    if "%" in (values.watermark.text.template or ""):
        clock = TimerService(REFRESH_SECONDS, prevention.refresh)
        clock.clock = reactor
        clock.setServiceParent(daemon)
    return prevention


def rules_of(values: DataLossPrevention) -> Rules:
    """Give the rules that these values are."""
    concealed, clipboard = values.visible_region.concealed_region, values.clipboard
    out, back = clipboard.server_to_client, clipboard.client_to_server
    return Rules(
        visible_region=_region(values.visible_region),
        click_down=concealed.allow_click_down,
        click_release=concealed.allow_click_release,
        server_to_client=Way(out.enabled, out.size),
        client_to_server=Way(back.enabled, back.size),
        seconds_between_copies=clipboard.delay_between_operations / 1000,
        kinds=frozenset(clipboard.allow_mimetypes),
        keyboard=values.keyboard.enabled,
        keys_per_second=values.keyboard.rate_limit,
        watermark=_watermark(values.watermark),
        log_level=Level[values.logging.level.upper()],
    )


def _region(region: keys.VisibleRegion) -> Optional[VisibleRegion]:
    edges = region.left, region.top, region.right, region.bottom
    given = [edge for edge in edges if edge is not None]
    return VisibleRegion(*given) if len(given) == len(edges) else None


def _watermark(values: keys.Watermark) -> Optional[Watermark]:
    text = values.text
    if not (values.image or text.template):
        return None
    return Watermark(
        values.image,
        text.template or "",
        text.font,
        text.font_size,
        text.timezone_name,
        text.angle,
        values.tint,
        values.location,
        values.repeat_spacing,
    )
