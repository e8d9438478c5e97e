"""A bounded soak: what must not grow, what must be dropped, and what must not be lost. `python -m tests.soak`."""
