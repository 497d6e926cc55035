"""The text-to-speech server's process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from viva.tts.v1 import tts_pb2_grpc

from services.runtime import metrics
from services.runtime.errors import ResourceMissing
from services.runtime.logs import log
from services.runtime.server import Service, run
from services.runtime.settings import load
from services.runtime.weights import WeightsStore
from services.tts.cache import SpeechCache
from services.tts.engines.kokoro import KokoroSynthesizer, join_weights
from services.tts.engines.piper import JOE, PiperSynthesizer, packaged_voice
from services.tts.frequent_lines import FrequentLines, read_lines
from services.tts.levels import measure_gains
from services.tts.mandarin import MandarinPronouncer
from services.tts.segment import Urgency
from services.tts.servicer import TtsServicer
from services.tts.settings import TtsSettings
from services.tts.speaker import Speaker
from services.tts.speech import Synthesizer
from services.tts.voices import VoiceBook
from services.tts.voices_in_use import VoicesInUse

NAME = "viva.tts.v1.TtsService"

_logger = logging.getLogger(__name__)


def load_engines(settings: TtsSettings) -> list[Synthesizer]:
    """Loads what the settings name; blocks for seconds.

    Raises:
        ResourceMissing: A model or a package is not there.
    """
    threads, device, memory = settings.threads, settings.place(), settings.device_memory_bytes
    piper = partial(PiperSynthesizer, threads=threads, device=device, device_memory_bytes=memory)
    engines: list[Synthesizer] = []
    if "piper" in settings.engines:
        engines.append(piper(packaged_voice(), JOE))
    engines += [piper(model) for model in settings.piper_models]
    if "kokoro" in settings.engines:
        store = WeightsStore(settings.data_dir / "models")
        engines.append(
            KokoroSynthesizer(
                join_weights(store),
                mandarin=_mandarin(settings),
                threads=threads,
                device=device,
                device_memory_bytes=memory,
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
    lines = await asyncio.to_thread(read_lines, settings.frequent_lines)
    engines = await asyncio.to_thread(load_engines, settings)
    for engine in engines:
        model = engine.model
        metrics.MODEL_MEMORY.labels(model.name, model.device).set(model.memory_bytes)
    book = VoiceBook(engines, settings.default_voice)
    folder = settings.data_dir / "tts"
    gains = await asyncio.to_thread(
        measure_gains, engines, settings.target_lufs, folder / "loudness.json"
    )
    cache = await asyncio.to_thread(SpeechCache, settings.cache_bytes, folder / "lines")
    in_use = await asyncio.to_thread(VoicesInUse, folder / "voices-in-use.json")
    async with Speaker(
        book,
        engines,
        cache,
        gains,
        in_use=in_use,
        max_queue=settings.max_queue,
        max_queue_bytes=settings.max_queue_bytes,
    ) as speaker:
        await speaker.warm_up()
        servicer = TtsServicer(
            speaker, engines, Urgency(settings.first_phrase_seconds, settings.phrase_seconds)
        )
        ahead = asyncio.create_task(
            FrequentLines(speaker, lines, in_use).run(), name="tts-frequent-lines"
        )
        try:
            register = partial(tts_pb2_grpc.add_TtsServiceServicer_to_server, servicer)
            yield [Service(NAME, register, list(speaker.health.values()))]
        finally:
            ahead.cancel()
            await asyncio.wait([ahead])


def main() -> None:
    """Runs the server until SIGTERM."""
    settings = load(TtsSettings)
    run(settings, "tts", partial(build, settings))
