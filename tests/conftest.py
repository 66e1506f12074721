"""For every test: how hypothesis behaves on a machine that is busy with other things."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("kasmd", deadline=None, print_blob=True)
settings.load_profile("kasmd")
