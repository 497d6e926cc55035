"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# `make test` says the same of the same code every time. `pytest --hypothesis-profile=explore` draws
# new examples; what it finds becomes an `@example`.
settings.register_profile("explore", derandomize=False)
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")
