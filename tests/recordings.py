"""Human speech for tests: the benchmarks' recordings, fetched at test time and cached."""

from services.cli.bench.recordings import Recording, cards, librivox

__all__ = ["Recording", "cards", "librivox"]
