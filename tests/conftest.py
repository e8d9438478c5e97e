"""What holds for every test: properties are tried with the same examples each time, and by no clock.

`pytest --hypothesis-profile explore` looks for new examples; what it finds becomes an `@example` of its property.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("same", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=2_000)
settings.load_profile("same")
