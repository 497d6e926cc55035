"""Signs that a decoding went wrong: loops, early ends, text where nobody spoke.

Whisper's own thresholds (Radford et al. 2022, section 4.5): compression ratio 2.4, mean log
probability -1, no-speech probability 0.6.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from services.asr.engines.engine import Hypothesis

COMPRESSION_RATIO = 2.4
LOG_PROBABILITY = -1.0
NO_SPEECH_PROBABILITY = 0.6
# Whisper base on white noise: no-speech probability 0.59 to 0.83, log probability -1.45 to -1.9;
# on clear short words: up to 0.51, and -1.15 or more.
_MAYBE_NO_SPEECH = 0.4
_HARDLY_PROBABLE = -1.4
# A unit of up to this many tokens, repeated at the end, is a loop.
_LONGEST_PERIOD = 24
# People do repeat themselves: "no, no, no". The shorter the unit, the more often it may be said.
_REPEATS_OF_LONG_UNIT = 3
_REPEATS_OF_SHORT_UNIT = 6
_SHORT_UNIT = 3
_LEAST_DOUBLED = 3
# Whisper base, probability of the best of its attempts: they overlap. Reversed speech and babble
# have up to 0.51; short answers in noise or by synthetic voices, and a person's "five five", are
# understood rightly from 0.43 on. Speech that is there is kept rather than all invention left out.
_INVENTED = 0.44
_INVENTED_LANGUAGE = 0.46
# A few words by themselves are improbable even when they are right ("Ask not!"). Where nothing else
# speaks against them only the least probable are dropped, and the phrases that Whisper makes of
# sounds: those that end its training data's videos.
_SHORT_WORDS = 4
_INVENTED_SHORT = 0.36
_FAREWELLS = frozenset(
    {"thank you", "thank you very much", "thank you so much", "thanks for watching", "thanks"}
    | {"you", "bye", "bye bye", "see you", "see you next time", "the end", "so", "oh", "okay"}
)
# The text of reversed speech is improbable in its words, that of a short or noisy answer mostly in
# its timestamps and its end. Mean word probability of Whisper base: reversed speech 0.27 to 0.50,
# and hardly ever in a sure language; short answers understood rightly 0.56 and more; speech in
# noise as loud as itself 0.49 and more, but in a sure language (synthetic voices, LibriVox clips).
_INVENTED_WORDS = 0.53
_IMPROBABLE = 0.56
_SURE_LANGUAGE = 0.85
_DOUBTFUL = 0.5
_DOUBTFUL_LANGUAGE = 0.6

# Languages whose text takes few tokens: Whisper's vocabulary was made for English, and its nearest
# relatives share most of it. Others take up to three tokens a character.
_FRUGAL = frozenset({"ca", "da", "de", "en", "es", "fr", "id", "it", "nl", "no", "pt", "ro", "sv"})
# English takes about 1.3 tokens a word, so this is nine words a second: twice a fast speaker's.
_TOKENS_PER_SECOND = {True: 12.0, False: 24.0}
_SPARE_TOKENS = 14


def token_limit(language: str, seconds: float) -> int:
    """The most tokens that `seconds` of fast speech in `language` can take.

    A text that takes them all was cut, or is a loop.
    """
    return round(_TOKENS_PER_SECOND[language in _FRUGAL] * seconds) + _SPARE_TOKENS


def looped_tail(tokens: Sequence[int]) -> int:
    """The number of tokens at the end that only repeat what stands before them.

    [1, 2, 3, 2, 3, 2, 3, 2, 3] with enough repeats gives the repeats after the first "2, 3". A last
    repeat may be cut off.
    """
    count = len(tokens)
    longest = 0
    for period in range(1, min(_LONGEST_PERIOD, count // 2) + 1):
        matching = 0
        while (
            matching + period < count
            and tokens[count - 1 - matching] == tokens[count - 1 - matching - period]
        ):
            matching += 1
        needed = _REPEATS_OF_SHORT_UNIT if period <= _SHORT_UNIT else _REPEATS_OF_LONG_UNIT
        if matching >= period * (needed - 1):
            # A loop's unit may itself end in a little loop: the one that explains most counts.
            longest = max(longest, matching)
    return longest


def compression_ratio(text: str) -> float:
    """How much better than chance the text compresses; high means it repeats itself."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def is_no_speech(
    no_speech_probability: float, mean_log_probability: float, *, reliable: bool = True
) -> bool:
    """Whether the model says that nobody spoke and its text shows it.

    Its text shows it when it is improbable, loops, or leaves most of the window out; noise also
    makes it write very improbable text where it is not so sure that nobody spoke.
    """
    if no_speech_probability > NO_SPEECH_PROBABILITY:
        return mean_log_probability < LOG_PROBABILITY or not reliable
    return no_speech_probability > _MAYBE_NO_SPEECH and mean_log_probability < _HARDLY_PROBABLE


def is_doubled(text: str) -> bool:
    """Whether the text is one sentence of three words or more said twice, and nothing else."""
    words = ["".join(filter(str.isalnum, word)).casefold() for word in text.split()]
    half = len(words) // 2
    return half >= _LEAST_DOUBLED and len(words) % 2 == 0 and words[:half] == words[half:]


def is_doubtful(hypothesis: Hypothesis) -> bool:
    """Whether a final text is worth another attempt."""
    improbable = bool(hypothesis.text) and hypothesis.probability < _DOUBTFUL
    return not hypothesis.reliable or improbable or is_in_doubtful_language(hypothesis)


def is_in_doubtful_language(hypothesis: Hypothesis) -> bool:
    """Whether a text may well be in a language that is not the speech's."""
    return bool(hypothesis.text) and hypothesis.language_probability < _DOUBTFUL_LANGUAGE


def is_improbable(hypothesis: Hypothesis) -> bool:
    """Whether the probability of the words decides whether a text is invented."""
    return bool(hypothesis.text) and hypothesis.probability < _IMPROBABLE


def is_invented(hypothesis: Hypothesis) -> bool:
    """Whether a text is what the model writes where there is no language to hear.

    Babble, reversed speech and noises like a voice have a text all the same, an improbable one in
    a language that the model is not sure of.
    """
    if (
        is_improbable(hypothesis)
        and hypothesis.word_probability is not None
        and hypothesis.word_probability < _INVENTED_WORDS
        and hypothesis.language_probability < _SURE_LANGUAGE
        and not _is_short_and_meant(hypothesis)
    ):
        return True
    if hypothesis.probability < _INVENTED and not _is_short_and_meant(hypothesis):
        return True
    return hypothesis.language_probability < _DOUBTFUL_LANGUAGE and (
        hypothesis.probability < _INVENTED_LANGUAGE or not hypothesis.reliable
    )


def _is_short_and_meant(hypothesis: Hypothesis) -> bool:
    words = ["".join(filter(str.isalnum, word)).casefold() for word in hypothesis.text.split()]
    return (
        len(words) <= _SHORT_WORDS
        and " ".join(words) not in _FAREWELLS
        and hypothesis.reliable
        and hypothesis.language_probability >= _DOUBTFUL_LANGUAGE
        and hypothesis.probability >= _INVENTED_SHORT
    )
