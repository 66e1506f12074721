"""Kinds of what is seen, by themselves; with their places: test_values.py, test_data_loss.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.codec.video import Codec
from kasmd.config import pictures
from kasmd.config.kinds import Kind, Raw


@pytest.mark.parametrize("kind", [pictures.codecs, pictures.template, pictures.edge])
@given(raw=st.text(max_size=20) | st.lists(st.text(max_size=9), max_size=3))
def test_only_value_errors_that_say_what_must_be(kind: Kind[object], raw: Raw) -> None:
    try:
        kind(raw)
    except ValueError as error:
        assert str(error).startswith("must ")


@pytest.mark.parametrize("raw,codecs", [
    ("auto", tuple(Codec)),
    ("none", ()),
    ("av1,h264", (Codec.H264, Codec.AV1)),
    ("avc,h265_nvenc,hevc_vaapi", (Codec.H264, Codec.HEVC)),
])
def test_codecs_are_kasmvncs(raw: str, codecs: tuple[Codec, ...]) -> None:
    assert pictures.codecs(raw) == codecs


@pytest.mark.parametrize("raw", ["", "auto,h264", "vp9", "h264, av1", "h264_qsv"])
def test_what_is_no_codec(raw: str) -> None:
    with pytest.raises(ValueError):
        pictures.codecs(raw)
