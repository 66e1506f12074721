"""The keys against the loss of data: what they give, and what is said of bad ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from kasmd.config.data_loss import DataLossPrevention
from kasmd.config.load import load
from kasmd.errors import ConfigError
from kasmd.permission.dlp import Edge

ENVIRON = {"HOME": "/home/ann", "USER": "ann"}


def loaded(folder: Path, text: str) -> DataLossPrevention:
    path = folder / "kasmd.yaml"
    path.write_text(f"data_loss_prevention:\n{text}")
    return load(str(path), ENVIRON).data_loss_prevention


def said(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text)
    return str(caught.value).removeprefix(f"{folder}/kasmd.yaml:").replace(
        "data_loss_prevention.", ""
    )


def test_kasmvncs_own_file(tmp_path: Path) -> None:
    values = loaded(tmp_path, """
  visible_region:
    top: 10
    left: 10
    right: -40
    bottom: 0
    concealed_region: {allow_click_down: false, allow_click_release: true}
  clipboard:
    delay_between_operations: 300
    allow_mimetypes: [text/html]
    server_to_client: {enabled: true, size: unlimited}
    client_to_server: {enabled: false, size: 10000}
  keyboard: {enabled: true, rate_limit: 20}
  watermark:
    tint: 255,20,20,128
    repeat_spacing: 10
    text: {template: "${USER} %H:%M", font: auto, font_size: 48, timezone_name: Australia/Adelaide}
  logging: {level: info}
""")
    assert values.visible_region.right == Edge(-40) and values.visible_region.top == Edge(10)
    assert values.visible_region.concealed_region.allow_click_release
    assert values.clipboard.delay_between_operations == 300
    assert values.clipboard.allow_mimetypes == ("text/html",)
    assert (values.clipboard.server_to_client.size, values.clipboard.client_to_server.size) == (
        0, 10000
    )
    assert not values.clipboard.client_to_server.enabled
    assert values.keyboard.rate_limit == 20
    assert values.watermark.tint == (255, 20, 20, 128)
    assert values.watermark.text.template == "ann %H:%M" and values.watermark.text.font is None
    assert values.logging.level == "info"


def test_percentages(tmp_path: Path) -> None:
    region = loaded(
        tmp_path, "  visible_region: {left: 10%, top: 0%, right: 20%, bottom: 30%}"
    ).visible_region
    assert region.left == Edge(10, True) and region.bottom == Edge(30, True)


@pytest.mark.parametrize("text, problem", [
    ("visible_region: {left: 1}", "visible_region.top: must be given with the other three edges"),
    ("visible_region: {left: 1%, top: 0, right: 0, bottom: 0}",
     "visible_region.left: must be of pixels or of percent like the others"),
    ("visible_region: {left: 101%}", "left: '101%' must be a whole number of pixels, or a"),
    ("visible_region: {left: 1.5}", "left: 1.5 must be a whole number of pixels, or a percentage"),
    ("watermark: {image: /w.png, text: {template: x}}",
     "watermark.text.template: cannot be used together with an image"),
    ("watermark: {location: '1,2', repeat_spacing: 3}",
     "watermark.location: cannot be used together with repeat_spacing"),
    ("watermark: {location: '1'}", "location: 1 must be 2 numbers from -16384 to 16384, such as"),
    ("watermark: {tint: '1,2,3,256'}", "must be 4 numbers from 0 to 255, such as 255,255,255,128"),
    ("watermark: {text: {font_size: 7}}", "font_size: 7 must be a whole number from 8 to 256"),
    ("watermark: {text: {angle: 360}}", "angle: 360 must be a whole number from -359 to 359"),
    ("watermark: {text: {timezone_name: ../passwd}}", "must be the name of a time zone, such as"),
    ("watermark: {text: {timezone_name: Nowhere}}", "must be the name of a time zone, such as"),
    (f"watermark: {{text: {{template: {'x' * 257}}}}}", "must be at most 256 characters"),
    ("clipboard: {allow_mimetypes: [text]}", "must be a list of MIME types, which 'text' is not"),
    ("clipboard: {server_to_client: {size: none}}", "must be a whole number from 1 to"),
    ("clipboard: {delay_between_operations: 1s}", "from 0 to 86400000, or none"),
    ("keyboard: {rate_limit: 0}", "must be a whole number from 1 to 1073741824, or unlimited"),
    ("logging: {level: loud}", "logging.level: loud must be one of off, info, verbose"),
    ("clipboard: {server_to_client: {primary_clipboard_enabled: false}}", "not supported"),
])
def test_what_is_said(tmp_path: Path, text: str, problem: str) -> None:
    assert problem in said(tmp_path, f"  {text}\n")
