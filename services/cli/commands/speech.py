"""`viva transcribe`, `viva say`, `viva voices`."""

from __future__ import annotations

import hashlib
import io
import sys
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Annotated

import grpc
import soundfile
import typer
from google.protobuf.duration_pb2 import Duration
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.cli.calls import (
    DEFAULT_ADDRESS,
    Address,
    AsJson,
    Timeout,
    call,
    err,
    out,
    print_json,
    read_file,
    read_text,
    refuse,
    run,
)
from services.cli.wav_file import with_length
from services.runtime.audio.pcm import Float32, mono, s16le_from_float
from services.runtime.channel import open_channel, outgoing
from services.runtime.stats import seconds

_CHUNK_SECONDS = 0.1
STYLES = tuple(
    name.removeprefix("STYLE_").lower()
    for name in tts_pb2.Style.keys()  # noqa: SIM118 - an enum's wrapper is no dict
    if name != "STYLE_UNSPECIFIED"
)


def transcribe(
    file: Annotated[str, typer.Argument(help="WAV, FLAC or Ogg Opus file; - for standard input.")],
    address: Address = DEFAULT_ADDRESS,
    language: Annotated[
        list[str] | None,
        typer.Option(help="A language that may be spoken; repeatable. Detected if not just one."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model; see `viva models`.")] = None,
    hint: Annotated[
        list[str] | None, typer.Option(help="A likely phrase, the likeliest first; repeatable.")
    ] = None,
    words: Annotated[
        bool, typer.Option("--words", help="Show every word's time and confidence.")
    ] = False,
    denoise: Annotated[
        bool, typer.Option("--denoise", help="Reduce background noise first.")
    ] = False,
    stream: Annotated[
        bool, typer.Option("--stream", help="Send it as live audio, show the text as it comes.")
    ] = False,
    pauses: Annotated[
        bool, typer.Option("--pauses", help="With --stream --json: pauses are events too.")
    ] = False,
    timeout: Timeout = 3600,
    as_json: AsJson = False,
) -> None:
    """Turn speech into text."""
    if pauses and not (stream and as_json):
        refuse("--pauses: pauses are among the events of --stream --json; give those as well")
    audio = read_file(file)
    if not audio:
        refuse(f"{file}: the file is empty")
    config = asr_pb2.RecognitionConfig(
        model=model,
        languages=language,
        phrase_hints=[asr_pb2.PhraseHint(phrase=phrase) for phrase in hint or ()],
        word_offsets=words,
        denoise=denoise,
    )
    if stream:
        live = asr_pb2.StreamingRecognitionConfig(recognition=config, pause_events=pauses)
        run(_transcribe_live(address, audio, live, timeout, as_json=as_json))
    else:
        run(_transcribe_whole(address, audio, config, timeout, as_json=as_json))


async def _transcribe_whole(
    address: str, audio: bytes, config: asr_pb2.RecognitionConfig, timeout: float, *, as_json: bool
) -> None:
    request = asr_pb2.RecognizeRequest(config=config, audio=audio)
    started = time.perf_counter()
    async with open_channel(address) as channel:
        with err.status("listening …"):
            answer = await asr_pb2_grpc.AsrServiceStub(channel).Recognize(
                request, **outgoing(timeout)
            )
    if as_json:
        print_json(answer)
        return
    if not answer.segments:
        err.print("no speech in it")
    for segment in answer.segments:
        out.print(f"[dim]{_clock(segment.start)}[/] {escape(segment.text.strip())}", soft_wrap=True)
        _print_words(segment.words)
    took, length = time.perf_counter() - started, seconds(answer.duration)
    err.print(
        f"[dim]{length:.1f} s of audio in {took:.1f} s, {answer.language or 'no language'}[/]"
    )


async def _transcribe_live(
    address: str,
    audio: bytes,
    config: asr_pb2.StreamingRecognitionConfig,
    timeout: float,
    *,
    as_json: bool,
) -> None:
    samples, rate = _decode(audio)
    size = int(rate * _CHUNK_SECONDS)

    async def messages() -> AsyncIterator[asr_pb2.StreamingRecognizeRequest]:
        shape = serving_pb2.AudioFormat(
            encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=rate
        )
        config.format.CopyFrom(shape)
        yield asr_pb2.StreamingRecognizeRequest(config=config)
        for start in range(0, len(samples), size):
            chunk = serving_pb2.AudioChunk(audio=s16le_from_float(samples[start : start + size]))
            yield asr_pb2.StreamingRecognizeRequest(audio=chunk)

    async with open_channel(address) as channel:
        events = asr_pb2_grpc.AsrServiceStub(channel).StreamingRecognize(
            messages(), **outgoing(timeout)
        )
        with Live(console=err, transient=True) as live:
            async for event in events:
                if as_json:
                    print_json(event, line=True)
                elif event.HasField("partial"):
                    partial = event.partial
                    live.update(Text.assemble(partial.stable, (partial.unstable, "dim")))
                elif event.HasField("end_of_turn"):
                    turn = event.end_of_turn
                    out.print(
                        f"[dim]{_clock(turn.start)}[/] {escape(turn.text.strip())}", soft_wrap=True
                    )
                    _print_words(turn.words)


def _decode(audio: bytes) -> tuple[Float32, int]:
    try:
        samples, rate = soundfile.read(io.BytesIO(audio), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        refuse(f"not a sound file: {error.error_string}")
    return mono(samples.reshape(-1), samples.shape[1]), int(rate)


def _print_words(words: Iterable[asr_pb2.Word]) -> None:
    for word in words:
        sure = f"{word.confidence:4.0%}" if word.HasField("confidence") else "   –"
        out.print(
            f"  [dim]{seconds(word.start):7.2f}-{seconds(word.end):6.2f}  {sure}[/]"
            f"  {escape(word.text.strip())}"
        )


def _clock(at: Duration) -> str:
    minutes, rest = divmod(seconds(at), 60)
    return f"{int(minutes):02d}:{rest:04.1f}"


def say(
    text: Annotated[
        str, typer.Argument(help="What to say; - for standard input, @FILE for a file.")
    ],
    address: Address = DEFAULT_ADDRESS,
    output: Annotated[
        str, typer.Option("--out", "-o", help="WAV file; - for standard output.")
    ] = "speech.wav",
    voice: Annotated[str | None, typer.Option(help="Voice; see `viva voices`.")] = None,
    language: Annotated[
        str | None, typer.Option(help="Language of the text; else detected.")
    ] = None,
    style: Annotated[str, typer.Option(help=f"One of {', '.join(STYLES)}.")] = "neutral",
    speed: Annotated[float | None, typer.Option(help="0.5 to 2.")] = None,
    reference: Annotated[
        str | None, typer.Option(help="WAV or FLAC file of a voice to imitate, 3 to 30 s.")
    ] = None,
    timeout: Timeout = 600,
    as_json: AsJson = False,
) -> None:
    """Turn text into speech."""
    if style not in STYLES:
        refuse(f"--style: no style {style!r}; one of {', '.join(STYLES)}")
    config = tts_pb2.SpeechConfig(
        voice=voice,
        language=language,
        style=tts_pb2.Style.Value(f"STYLE_{style.upper()}"),
        speed=speed,
        format=serving_pb2.AudioFormat(encoding=serving_pb2.AUDIO_ENCODING_WAV),
    )
    imitated = read_file(reference) if reference else None
    request = tts_pb2.SynthesizeRequest(text=read_text(text), config=config)
    run(_say(address, request, output, timeout, imitated=imitated, as_json=as_json))


async def _say(
    address: str,
    request: tts_pb2.SynthesizeRequest,
    output: str,
    timeout: float,
    *,
    imitated: bytes | None = None,
    as_json: bool = False,
) -> None:
    started = time.perf_counter()
    first = None
    audio = bytearray()
    done = tts_pb2.SegmentDone()
    if output != "-":
        # Nobody listens to a file while it is spoken: it may take as long as it is given.
        request.config.priority = serving_pb2.PRIORITY_BATCH
    async with open_channel(address) as channel:
        speech = _spoken(tts_pb2_grpc.TtsServiceStub(channel), request, imitated, timeout)
        with err.status("speaking …") as status:
            async for message in speech:
                if not message.HasField("chunk"):
                    done = message.done
                    continue
                first = first or time.perf_counter() - started
                if output == "-":
                    # A pipe is heard while it is spoken; its header has to leave the length open.
                    sys.stdout.buffer.write(message.chunk.audio)
                    sys.stdout.buffer.flush()
                else:
                    audio += message.chunk.audio
                status.update(f"speaking … {seconds(message.chunk.offset):.1f} s")
    if output == "-":
        return
    Path(output).write_bytes(with_length(bytes(audio)))
    took, length = time.perf_counter() - started, seconds(done.duration)
    if as_json:
        print_json({"file": output, "seconds": length, "first_audio": first, "took": took})
    else:
        err.print(
            f"{output}: {length:.1f} s of speech in {took:.2f} s,"
            f" the first after {first or took:.2f} s [dim]({done.stats.model})[/]"
        )


async def _spoken(
    stub: tts_pb2_grpc.TtsServiceAsyncStub,
    request: tts_pb2.SynthesizeRequest,
    imitated: bytes | None,
    timeout: float,
) -> AsyncIterator[tts_pb2.SynthesizeResponse]:
    """The answers; a voice to imitate is named, and sent only to a server that lacks it."""
    heard = False
    if imitated is not None:
        request.config.reference_voice.digest = hashlib.sha256(imitated).hexdigest()
    try:
        async for message in stub.Synthesize(request, **outgoing(timeout)):
            heard = True
            yield message
    except grpc.aio.AioRpcError as error:
        if imitated is None or heard or error.code() != grpc.StatusCode.NOT_FOUND:
            raise
        request.config.reference_voice.audio = imitated
        async for message in stub.Synthesize(request, **outgoing(timeout)):
            yield message


def voices(
    address: Address = DEFAULT_ADDRESS,
    language: Annotated[str | None, typer.Option(help="Only voices of this language.")] = None,
    timeout: Timeout = 10,
    as_json: AsJson = False,
) -> None:
    """List the voices."""
    call(
        address,
        lambda channel: tts_pb2_grpc.TtsServiceStub(channel).ListVoices,
        tts_pb2.ListVoicesRequest(language=language),
        timeout,
        as_json=as_json,
        show=_show_voices,
    )


def _show_voices(answer: tts_pb2.ListVoicesResponse) -> None:
    table = Table("voice", "languages", "gender", "what it is like", box=None, pad_edge=False)
    for voice in answer.voices:
        name = escape(voice.id)
        gender = tts_pb2.Gender.Name(voice.gender).removeprefix("GENDER_").lower()
        table.add_row(
            f"[bold]{name}[/] (default)" if voice.is_default else name,
            " ".join(voice.languages),
            gender,
            escape(voice.description),
        )
    out.print(table)
