"""The project's own benchmark: our gateway with everything on, beside peers, in one run. `python -m tests.bench`."""
