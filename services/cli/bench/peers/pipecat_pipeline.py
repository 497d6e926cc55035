"""A Pipecat pipeline with the packaged models: run by the Python of its own environment.

It imports nothing of this project. Standard input: a line of JSON with the models' places, then a
line for each answer, `{"pcm": PATH, "speech_end": SECONDS}` (16 kHz mono, 16-bit samples), which is
played to the pipeline in real time, with silence before and after. Standard output: `{"ready": …}`,
then a line an answer: `sounds`, when the bot began to be heard, and the `stages` of the last turn,
in seconds from the beginning of the recording.

The pipeline is Pipecat's own: Silero VAD and Smart Turn with its defaults, WhisperSTTService,
sentence aggregation. Only what has no packaged service is made here: SmolLM2 through CTranslate2,
which sits in the process instead of behind HTTP, and Piper through onnxruntime.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import sys
import time
import unicodedata
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import ctranslate2
import espeakng_loader
import numpy as np
import onnxruntime
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    UserStoppedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService
from pipecat.services.whisper.stt import WhisperSTTService
from pipecat.workers.runner import WorkerRunner
from tokenizers import Tokenizer

RATE_HZ = 16_000
CHUNK_SECONDS = 0.02
LEAD_SECONDS = 0.5
REPLY_SECONDS = 12.0
"""Smart Turn waits 3 s for more of a turn that it takes for incomplete; later nothing comes."""
QUIET_SECONDS = 1.5
"""Without any more of the bot's speech for so long, its reply is over."""
MAX_TOKENS = 32
ANSWER_WORDS = 60


class Model(FrameProcessor):  # type: ignore[misc] # Pipecat is not installed where this is checked
    """SmolLM2: one short follow-up question, three examples in the prompt."""

    def __init__(self, folder: str, prompt: list[list[str]], beginning: str) -> None:
        super().__init__()
        self._generator = ctranslate2.Generator(folder, compute_type="int8", intra_threads=1)
        self._tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
        self._examples = self._tokens(
            "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in prompt)
        )
        self._beginning = beginning

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Answers a context with a question; passes everything else on."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        said = [m["content"] for m in frame.context.get_messages() if m.get("role") == "user"]
        answer = " ".join(str(said[-1] if said else "").split()[-ANSWER_WORDS:])
        await self.push_frame(LLMFullResponseStartFrame())
        steps = self._steps(answer)
        tokens: list[int] = []
        told = ""
        while (token := await asyncio.to_thread(next, steps, None)) is not None:
            tokens.append(token)
            text = self._beginning + self._tokenizer.decode(tokens)
            if text != told:
                await self.push_frame(LLMTextFrame(text[len(told) :]))
                told = text
            if text.endswith("?"):
                break
        await self.push_frame(LLMFullResponseEndFrame())

    def _steps(self, answer: str) -> Iterator[int]:
        turn = f"<|im_start|>user\n{answer}<|im_end|>\n<|im_start|>assistant\n{self._beginning}"
        for step in self._generator.generate_tokens(
            self._tokens(turn),
            max_length=MAX_TOKENS,
            sampling_topk=1,
            repetition_penalty=1.1,
            static_prompt=self._examples,
        ):
            yield step.token_id

    def _tokens(self, text: str) -> list[str]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).tokens)


class Piper(TTSService):  # type: ignore[misc] # as above
    """The packaged Piper voice, a sentence at a time."""

    def __init__(self, model: str) -> None:
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            settings=TTSSettings(model=None, voice=None, language=None),
        )
        config = json.loads(Path(f"{model}.json").read_text(encoding="utf-8"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        self._session = onnxruntime.InferenceSession(model, options)
        self._ids: dict[str, list[int]] = config["phoneme_id_map"]
        self._rate = int(config["audio"]["sample_rate"])
        own = config["inference"]
        self._scales = np.array(
            [own["noise_scale"], own["length_scale"], own["noise_w"]], dtype=np.float32
        )
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        data = str(espeakng_loader.get_data_path()).encode()
        self._library.espeak_Initialize(2, 0, data, 0x8000)
        self._library.espeak_SetVoiceByName(b"en-us")

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame, None]:
        """Speaks a sentence."""

        async def spoken() -> AsyncGenerator[bytes, None]:
            yield await asyncio.to_thread(self._speak, text)

        async for frame in self._stream_audio_frames_from_iterator(
            spoken(), in_sample_rate=self._rate, context_id=context_id
        ):
            yield frame

    def _speak(self, text: str) -> bytes:
        ids = [*self._ids["^"], *self._ids["_"]]
        for symbol in unicodedata.normalize("NFD", self._phonemes(text)):
            if symbol in self._ids:
                ids += [*self._ids[symbol], *self._ids["_"]]
        ids += self._ids["$"]
        inputs = {
            "input": np.array([ids], dtype=np.int64),
            "input_lengths": np.array([len(ids)], dtype=np.int64),
            "scales": self._scales,
        }
        samples = self._session.run(None, inputs)[0].reshape(-1)
        return bytes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())

    def _phonemes(self, text: str) -> str:
        buffer = ctypes.create_string_buffer(text.replace("\0", "").encode())
        position = ctypes.c_void_p(ctypes.addressof(buffer))
        clauses = []
        while position.value:
            clause = self._library.espeak_TextToPhonemes(ctypes.byref(position), 1, 0x02)
            clauses.append((clause or b"").decode("utf-8", "replace"))
        return " ".join(" ".join(clauses).split())


class Watch(BaseObserver):  # type: ignore[misc] # as above
    """When each part of a turn was done, by the monotonic clock."""

    def __init__(self) -> None:
        super().__init__()
        self.moments: list[tuple[str, float]] = []
        self.audio: list[float] = []
        self._seen: set[int] = set()

    async def on_push_frame(self, data: FramePushed) -> None:
        """Notes the frames that end a part of the turn, each once."""
        frame = data.frame
        if isinstance(frame, InputAudioRawFrame) or frame.id in self._seen:
            return
        self._seen.add(frame.id)
        now = time.monotonic()
        match frame:
            case TTSAudioRawFrame():
                self.audio.append(now)
            case VADUserStoppedSpeakingFrame():
                self.moments.append(("vad_stop", now))
            case TranscriptionFrame():
                self.moments.append(("transcript", now))
            case UserStoppedSpeakingFrame():
                self.moments.append(("end_of_turn", now))
            case LLMFullResponseStartFrame():
                self.moments.append(("llm_asked", now))
            case LLMTextFrame():
                self.moments.append(("llm_first_token", now))
            case LLMFullResponseEndFrame():
                self.moments.append(("llm_done", now))


def replies(audio: list[float]) -> list[float]:
    """When each reply began: pieces of speech that follow each other at once are one."""
    begun: list[float] = []
    last = float("-inf")
    for at in audio:
        if at - last > QUIET_SECONDS:
            begun.append(at)
        last = at
    return begun


async def play(worker: PipelineWorker, watch: Watch, asked: dict[str, Any]) -> dict[str, Any]:
    """Plays an answer and waits for the reply to its end."""
    pcm = await asyncio.to_thread(Path(asked["pcm"]).read_bytes)
    size = 2 * round(CHUNK_SECONDS * RATE_HZ)
    pcm = bytes(2 * round(LEAD_SECONDS * RATE_HZ)) + pcm
    watch.moments.clear()
    watch.audio.clear()
    began = time.monotonic()
    first = began + LEAD_SECONDS
    end = first + asked["speech_end"]
    number = 0
    while True:
        number += 1
        due = began + number * CHUNK_SECONDS
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        place = (number - 1) * size
        piece = pcm[place : place + size].ljust(size, b"\0")
        await worker.queue_frame(
            InputAudioRawFrame(audio=piece, sample_rate=RATE_HZ, num_channels=1)
        )
        now = time.monotonic()
        answered = any(at >= end for at in replies(watch.audio))
        quiet = not watch.audio or now - watch.audio[-1] > QUIET_SECONDS
        if place >= len(pcm) and ((answered and quiet) or now > end + REPLY_SECONDS):
            break
    stages: dict[str, float] = {}
    for name, at in watch.moments:
        if at >= end:
            stages.setdefault(name, at - first)
    return {"sounds": [at - first for at in replies(watch.audio)], "stages": stages}


async def main() -> None:
    """Builds the pipeline and answers until standard input ends."""
    config = json.loads(await asyncio.to_thread(sys.stdin.readline))
    watch = Watch()
    aggregators = LLMContextAggregatorPair(
        LLMContext(), user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    )
    worker = PipelineWorker(
        Pipeline(
            [
                WhisperSTTService(
                    device="cpu",
                    compute_type="int8",
                    settings=WhisperSTTService.Settings(model=config["whisper"]),
                ),
                aggregators.user(),
                Model(config["llm"], config["prompt"], config["beginning"]),
                Piper(config["piper"]),
                aggregators.assistant(),
            ]
        ),
        cancel_on_idle_timeout=False,
        enable_rtvi=False,
        observers=[watch],
        params=PipelineParams(audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=RATE_HZ),
    )
    started = asyncio.Event()

    async def begun(*_: object) -> None:
        started.set()

    worker.add_event_handler("on_pipeline_started", begun)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await started.wait()
    tell({"ready": True})
    while line := await asyncio.to_thread(sys.stdin.readline):
        tell(await play(worker, watch, json.loads(line)))
    await worker.cancel()
    await running


def tell(content: dict[str, Any]) -> None:
    """Answers with a line."""
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
