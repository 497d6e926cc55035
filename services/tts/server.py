"""The text-to-speech server's process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from viva.tts.v1 import tts_pb2_grpc

from services.runtime import metrics
from services.runtime.errors import ResourceMissing, ServiceError
from services.runtime.logs import log
from services.runtime.server import Service, run
from services.runtime.settings import load
from services.runtime.weights import WeightsStore
from services.tts.cache import SpeechCache
from services.tts.engines.kokoro import KokoroSynthesizer, join_weights
from services.tts.engines.piper import JOE, PiperSynthesizer, packaged_voice
from services.tts.levels import measure_gains
from services.tts.mandarin import MandarinPronouncer
from services.tts.normalization import normalize
from services.tts.phrasing import Phraser
from services.tts.segment import Urgency
from services.tts.servicer import TtsServicer
from services.tts.settings import TtsSettings
from services.tts.speaker import Speaker
from services.tts.speech import Synthesizer
from services.tts.voices import VoiceBook

NAME = "viva.tts.v1.TtsService"

_logger = logging.getLogger(__name__)


def load_engines(settings: TtsSettings) -> list[Synthesizer]:
    """Loads what the settings name; blocks for seconds.

    Raises:
        ResourceMissing: A model or a package is not there.
    """
    threads, device = settings.threads, settings.place()
    engines: list[Synthesizer] = []
    if "piper" in settings.engines:
        engines.append(PiperSynthesizer(packaged_voice(), JOE, threads=threads, device=device))
    engines += [
        PiperSynthesizer(model, threads=threads, device=device) for model in settings.piper_models
    ]
    if "kokoro" in settings.engines:
        store = WeightsStore(settings.data_dir / "models")
        engines.append(
            KokoroSynthesizer(
                join_weights(store), mandarin=_mandarin(settings), threads=threads, device=device
            )
        )
    if settings.coqui_models:
        from services.tts.engines.coqui import CoquiSynthesizer

        engines += [
            CoquiSynthesizer(model, threads=threads, device=device)
            for model in settings.coqui_models
        ]
    return engines


def _mandarin(settings: TtsSettings) -> MandarinPronouncer | None:
    try:
        return MandarinPronouncer(settings.data_dir / "models" / "jieba")
    except ResourceMissing as missing:
        log(_logger, logging.INFO, "no Chinese speech", why=str(missing))
        return None


@asynccontextmanager
async def build(settings: TtsSettings) -> AsyncIterator[Sequence[Service]]:
    """Loads the engines, measures and warms up the voices, and serves them.

    Raises:
        ResourceMissing: A model, a package, the default voice or the file of frequent lines is not
            there.
    """
    lines = await asyncio.to_thread(_frequent_lines, settings.frequent_lines)
    engines = await asyncio.to_thread(load_engines, settings)
    for engine in engines:
        model = engine.model
        metrics.MODEL_MEMORY.labels(model.name, model.device).set(model.memory_bytes)
    book = VoiceBook(engines, settings.default_voice)
    folder = settings.data_dir / "tts"
    gains = await asyncio.to_thread(
        measure_gains, engines, settings.target_lufs, folder / "loudness.json"
    )
    cache = SpeechCache(settings.cache_bytes, folder / "lines")
    async with Speaker(book, engines, cache, gains, max_queue=settings.max_queue) as speaker:
        servicer = TtsServicer(
            speaker, engines, Urgency(settings.first_phrase_seconds, settings.phrase_seconds)
        )
        ahead = asyncio.create_task(_make_ahead(speaker, lines), name="tts-frequent-lines")
        try:
            register = partial(tts_pb2_grpc.add_TtsServiceServicer_to_server, servicer)
            yield [Service(NAME, register, list(speaker.health.values()))]
        finally:
            ahead.cancel()
            await asyncio.wait([ahead])


def _frequent_lines(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResourceMissing(
            f"the frequent lines cannot be read from {file} ({type(error).__name__})",
            "set VIVA_TTS_FREQUENT_LINES to a text file in UTF-8, or unset it",
        ) from None
    return [line for line in map(str.strip, text.splitlines()) if line]


async def _make_ahead(speaker: Speaker, lines: Sequence[str]) -> None:
    """Makes the frequent lines while nobody waits; one that cannot be made is passed over."""
    for number, line in enumerate(lines, start=1):
        phraser = Phraser()
        try:
            voice = speaker.book.for_text(line, None, None, "text")
            for phrase in phraser.feed(line) + phraser.flush():
                utterance = normalize(phrase.text)
                if utterance is not None:
                    await speaker.keep(utterance, voice)
        except (ServiceError, OSError) as error:
            why = error.reason if isinstance(error, ServiceError) else type(error).__name__
            log(_logger, logging.WARNING, "frequent line not made", line=number, why=why)


def main() -> None:
    """Runs the server until SIGTERM."""
    settings = load(TtsSettings)
    run(settings, "tts", partial(build, settings))
