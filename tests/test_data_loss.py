"""From the keys to the rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.application.service import MultiService
from twisted.internet.task import Clock

from kasmd.config.data_loss import DataLossPrevention
from kasmd.config.load import load
from kasmd.data_loss import compose_data_loss, rules_of
from kasmd.errors import ConfigError
from kasmd.permission.dlp import Edge, Rules, VisibleRegion, Way
from kasmd.permission.dlp_log import Level
from kasmd.permission.watermark import Watermark
from kasmd.viewer.worker import InlineWorker

KINDS = frozenset({"chromium/x-web-custom-data", "text/html", "image/png"})
WHOLE = """data_loss_prevention:
  visible_region:
    {left: 1, top: 2, right: 3, bottom: 4, concealed_region: {allow_click_down: true}}
  clipboard:
    delay_between_operations: 250
    allow_mimetypes: text/html
    server_to_client: {size: 5}
    client_to_server: {enabled: false}
  keyboard: {enabled: false, rate_limit: 6}
  watermark:
    {tint: "1,2,3,4", location: "7,8", text: {template: x, font_size: 9, angle: 10,
     timezone_name: UTC}}
  logging: {level: verbose}
"""


def values_of(folder: Path, text: str) -> DataLossPrevention:
    path = folder / "kasmd.yaml"
    path.write_text(text)
    return load(str(path), {"HOME": "/home/ann"}).data_loss_prevention


def test_the_defaults_forbid_nothing(tmp_path: Path) -> None:
    assert rules_of(DataLossPrevention()) == Rules(kinds=KINDS)


def test_every_key_is_a_rule(tmp_path: Path) -> None:
    assert rules_of(values_of(tmp_path, WHOLE)) == Rules(
        visible_region=VisibleRegion(Edge(1), Edge(2), Edge(3), Edge(4)),
        click_down=True,
        server_to_client=Way(True, 5),
        client_to_server=Way(False, 0),
        seconds_between_copies=0.25,
        kinds=frozenset({"text/html"}),
        keyboard=False,
        keys_per_second=6,
        watermark=Watermark(
            template="x", font_size=9, timezone="UTC", angle=10, tint=(1, 2, 3, 4), location=(7, 8)
        ),
        log_level=Level.VERBOSE,
    )


@pytest.mark.parametrize("template, services", [("%H", 1), ("still", 0)])
def test_only_a_watermark_that_tells_the_time_has_a_clock(
    tmp_path: Path, template: str, services: int
) -> None:
    daemon = MultiService()
    values = values_of(
        tmp_path, f"data_loss_prevention: {{watermark: {{text: {{template: '{template}'}}}}}}"
    )
    prevention = compose_data_loss(values, InlineWorker(), Clock(), daemon)
    assert prevention.mask((100, 100)) is not None
    assert len(daemon.services) == services


def test_a_font_that_is_not_there(tmp_path: Path) -> None:
    values = values_of(
        tmp_path, "data_loss_prevention: {watermark: {text: {template: x, font: /no.ttf}}}"
    )
    with pytest.raises(ConfigError, match="/no.ttf"):
        compose_data_loss(values, InlineWorker(), Clock(), MultiService())
