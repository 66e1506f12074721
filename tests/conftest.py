"""For every test: how hypothesis behaves, on a machine that is busy with other things, too."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# The same examples each time: a verdict is of the change, and not of the day.
settings.register_profile(
    "kasmd", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("kasmd")
