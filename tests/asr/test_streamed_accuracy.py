"""People's recordings streamed in virtual time through the real models, and as whole files."""

from __future__ import annotations

import numpy as np
import pytest

from services.asr.engines.whisper_ctranslate2 import WhisperCTranslate2
from services.asr.vad import SileroVad
from services.cli.bench.asr_accuracy import wrong_words
from tests.asr.audio import read_wav, silence
from tests.asr.live import streamed, whole
from tests.recordings import cards, librivox


@pytest.mark.slow
@pytest.mark.parametrize("pause", [0.3, 1.5], ids=["one turn", "long pauses"])
def test_streamed_text_is_as_good_as_the_whole_files(
    base: WhisperCTranslate2, vad: SileroVad, pause: float
) -> None:
    chosen = [librivox()[number] for number in (1, 2, 4)]
    pieces = [piece for r in chosen for piece in (read_wav(r.path), silence(pause))]
    samples = np.concatenate([*pieces, silence(1)])
    _, ends = streamed(samples, base, vad)
    transcript = " ".join(recording.transcript for recording in chosen)
    said, wrong = wrong_words(transcript, " ".join(end.transcript.text for end in ends))
    _, wrong_whole = wrong_words(transcript, whole(samples, base, vad))
    assert wrong - wrong_whole <= 0.02 * said
    assert {end.transcript.language for end in ends} == {"en"}


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1, 2, 4])
def test_a_lone_short_utterance_has_the_same_text_live_and_whole(
    base: WhisperCTranslate2, vad: SileroVad, number: int
) -> None:
    samples = np.concatenate([read_wav(cards()[number].path), silence(1)])
    _, ends = streamed(samples, base, vad)
    live = " ".join(end.transcript.text for end in ends)
    assert live
    assert live == whole(samples, base, vad)
