"""What a stream believes of its language."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.asr.engines.languages import among, exchanged, ranked
from services.asr.language import LanguageBelief

ENGLISH = (("en", 0.97), ("de", 0.01), ("ar", 0.001))
ARABIC = (("ar", 0.95), ("fa", 0.03), ("en", 0.005))


def decided(belief: LanguageBelief, detected: tuple[tuple[str, float], ...], seconds: float) -> str:
    return ranked(detected, belief.prior, seconds)[0][0]


def test_a_short_turn_does_not_overturn_the_language() -> None:
    belief = LanguageBelief()
    belief.hear(ENGLISH, 5.0)
    assert decided(belief, ARABIC, 2.0) == "en"
    belief.hear(ARABIC, 2.0)
    assert decided(belief, ARABIC, 2.0) == "en"


def test_a_long_turn_may_be_in_another_language() -> None:
    belief = LanguageBelief()
    belief.hear(ENGLISH, 5.0)
    assert decided(belief, ARABIC, 6.0) == "ar"
    belief.hear(ARABIC, 6.0)
    assert decided(belief, (("en", 0.5), ("ar", 0.4)), 2.0) == "ar"


def test_a_short_first_turn_leaves_the_second_open() -> None:
    belief = LanguageBelief()
    belief.hear(ARABIC, 0.8)
    assert decided(belief, ENGLISH, 4.0) == "en"


def test_nothing_heard_says_nothing() -> None:
    belief = LanguageBelief()
    assert belief.prior == ()
    belief.hear((), 4.0)
    assert decided(belief, ARABIC, 1.0) == "ar"


def test_a_language_that_cannot_be_spoken_is_not_heard() -> None:
    assert [code for code, _ in among(ARABIC, ("en", "de"))] == ["en"]
    assert among(ARABIC, ()) == ARABIC
    assert exchanged(ARABIC, "ar", "en")[0] == ("en", 0.95)


turns = st.lists(
    st.tuples(st.sampled_from([ENGLISH, ARABIC]), st.floats(0.3, 20.0)), min_size=1, max_size=12
)


@given(turns)
def test_the_language_of_the_last_two_long_turns_is_believed(
    heard: list[tuple[tuple[tuple[str, float], ...], float]],
) -> None:
    belief = LanguageBelief()
    for detected, seconds in [*heard, (ENGLISH, 6.0), (ENGLISH, 6.0)]:
        belief.hear(detected, seconds)
    weights = dict(belief.prior)
    assert max(weights, key=weights.__getitem__) == "en"
