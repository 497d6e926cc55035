"""Which beginnings of conversations are reused."""

from __future__ import annotations

from services.llm.generator_cache import GeneratorCache
from services.llm.prefixes import PrefixPolicy

SHOTS = list(range(100))


def test_a_prefix_is_reused_from_its_second_sighting_on() -> None:
    policy = PrefixPolicy(largest=1000)
    lengths = [policy.choose([*SHOTS, question, 7], [60, 100, 101]) for question in (201, 202, 203)]
    assert lengths == [0, 100, 100]


def test_a_growing_conversation_reuses_what_is_kept_until_more_is_worth_it() -> None:
    policy = PrefixPolicy(largest=1000, gain=32)
    tokens, boundaries, chosen = list(SHOTS), [100], []
    for turn in range(6):
        tokens = [*tokens, *(turn * 1000 + n for n in range(10))]
        boundaries.append(len(tokens))
        chosen.append(policy.choose([*tokens, 1], boundaries))
    assert chosen == [0, 110, 110, 110, 110, 150]


def test_short_and_too_long_prefixes_are_not_kept() -> None:
    policy = PrefixPolicy(largest=50)
    assert [policy.choose([*SHOTS, n], [20, 100]) for n in range(3)] == [0, 0, 0]


def test_nothing_is_kept_when_the_cache_is_off() -> None:
    policy = PrefixPolicy(largest=0)
    assert [policy.choose([*SHOTS, n], [60]) for n in range(3)] == [0, 0, 0]


def test_a_full_cache_begins_anew_and_running_work_keeps_its_generator() -> None:
    loads: list[object] = []

    def load() -> object:
        loads.append(object())
        return loads[-1]

    cache = GeneratorCache(load, budget=10)
    first = cache.lease((1, 2, 3, 4, 5, 6))
    assert first.reused == 0
    first.mark_computed()
    assert cache.lease((1, 2, 3, 4, 5, 6)).reused == 6
    second = cache.lease((7, 8, 9, 10, 11))
    assert (first.generator, second.generator) == tuple(loads)
    assert cache.lease((1, 2, 3, 4, 5)).reused == 0
    assert len(loads) == 2
