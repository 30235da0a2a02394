"""How long to search: a little on every run, long with ``HYPOTHESIS_PROFILE=ci``."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "default",
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
    # A failure is reported as it was found, at once; the long profile shrinks it.
    phases=(Phase.explicit, Phase.generate),
)
settings.register_profile(
    "ci", settings.get_profile("default"), max_examples=1500, stateful_step_count=80, phases=tuple(Phase)
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
