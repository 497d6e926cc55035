"""What `viva interview` leaves behind: the transcript, the sound, the timings, the report."""

from __future__ import annotations

import json
import statistics
import tempfile
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import soxr
from google.protobuf.json_format import MessageToDict
from viva.interview.v1 import conversation_pb2 as pb
from viva.interview.v1 import turn_pb2

from services.cli.held import AnswerTimes, Held
from services.cli.sound_card import RATE_HZ, Loudspeaker, Microphone
from services.runtime.stats import seconds

if TYPE_CHECKING:
    from services.cli.sound_devices import DeviceLoudspeaker, DeviceMicrophone

_OPTIONAL_TIMES = (
    "eager_end_of_turn",
    "end_of_turn",
    "asr_final",
    "llm_first_token",
    "first_phrase",
    "first_audio",
)


def write(held: Held, out: Path) -> None:
    """Writes everything into a folder, which is made.

    `transcript.json`, `timings.json`, `report.json`, `interviewer-NN.wav` for every utterance and
    `interview.wav` with the candidate left and the interviewer right, on the interview's clock.
    Replaces what an earlier interview left there.
    """
    make_folder(out)
    for stale in (*out.glob("interviewer-[0-9][0-9].wav"), out / "interview.wav"):
        stale.unlink(missing_ok=True)
    _json(out / "transcript.json", transcript(held))
    _json(out / "timings.json", timings(held))
    _json(out / "report.json", MessageToDict(held.report) if held.report else {})
    if held.loudspeaker is not None:
        for number, played in enumerate(held.loudspeaker.played, start=1):
            samples = np.frombuffer(bytes(played.audio), dtype="<i2")
            _wav(out / f"interviewer-{number:02d}.wav", samples, played.rate_hz, 1)
        if held.microphone is not None:
            _both(out / "interview.wav", held.microphone, held.loudspeaker, held.zero)


def make_folder(out: Path) -> None:
    """Makes the folder, and makes sure that files can be written there.

    Raises:
        OSError: They cannot.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=out):
        pass


def transcript(held: Held) -> dict[str, Any]:
    """The turns with their times in seconds on the interview's clock."""
    return {
        "interview_id": held.interview.id,
        "turns": [
            {
                "id": turn.id,
                "speaker": (
                    "candidate" if turn.speaker == turn_pb2.SPEAKER_CANDIDATE else "interviewer"
                ),
                "text": turn.text,
                "start": round(seconds(turn.start), 3),
                "end": round(seconds(turn.end), 3),
                "round": turn.round if turn.HasField("round") else None,
                "question_id": turn.question_id if turn.HasField("question_id") else None,
                "words": [
                    {
                        "text": word.text,
                        "start": round(seconds(word.start), 3),
                        "end": round(seconds(word.end), 3),
                        "confidence": (
                            round(word.confidence, 3) if word.HasField("confidence") else None
                        ),
                    }
                    for word in turn.words
                ],
            }
            for turn in held.turns
        ],
    }


def timings(held: Held) -> dict[str, Any]:
    """Per answer what the server and the client measured, in seconds, and the distribution."""
    latencies = [answer.latency for answer in held.answers if answer.latency is not None]
    return {
        "turns": [_turn(answer) for answer in held.answers],
        "speech_end_to_first_audio": distribution(latencies),
        "degraded": [
            {"service": d.service, "recovered": d.recovered, "message": d.message}
            for d in held.degraded
        ],
    }


def distribution(values: Sequence[float]) -> dict[str, float | int]:
    """Count, median, 95th percentile and maximum; only the count without values."""
    if not values:
        return {"count": 0}
    ordered = sorted(values)
    return {
        "count": len(ordered),
        "p50": round(statistics.median(ordered), 3),
        "p95": round(float(np.percentile(ordered, 95)), 3),
        "max": round(ordered[-1], 3),
    }


def _turn(answer: AnswerTimes) -> dict[str, Any]:
    measured = {
        "recording": answer.recording,
        "client": {
            "speech_end": round(answer.speech_end, 3),
            "first_audio": None if answer.first_audio is None else round(answer.first_audio, 3),
            "speech_end_to_first_audio": (
                None if answer.latency is None else round(answer.latency, 3)
            ),
        },
    }
    if answer.server is not None:
        measured["server"] = _server_times(answer.server)
    return measured


def _server_times(times: pb.TurnTimings) -> dict[str, Any]:
    found: dict[str, Any] = {
        "turn_id": times.turn_id,
        "speech_end": round(seconds(times.speech_end), 3),
        "prepared_eagerly": times.prepared_eagerly,
    }
    present = {field.name for field, _ in times.ListFields()}
    for name in _OPTIONAL_TIMES:
        found[name] = round(seconds(getattr(times, name)), 3) if name in present else None
    return found


def _json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _wav(path: Path, samples: npt.NDArray[np.int16], rate_hz: int, channels: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.astype("<i2").tobytes())


def _both(
    path: Path,
    microphone: Microphone | DeviceMicrophone,
    loudspeaker: Loudspeaker | DeviceLoudspeaker,
    zero: float,
) -> None:
    tracks: list[tuple[int, float, npt.NDArray[np.float32]]] = []
    if microphone.recorded:
        spoken = np.concatenate(microphone.recorded)
        tracks.append((0, microphone.started - zero, spoken))
    for played in loudspeaker.played:
        if played.started is None:
            continue
        samples = np.frombuffer(bytes(played.audio), dtype="<i2").astype(np.float32) / 32768
        heard = samples[: round(played.heard * played.rate_hz)] if played.stopped else samples
        if heard.size:
            resampled = soxr.resample(heard, played.rate_hz, RATE_HZ)
            tracks.append((1, played.started - zero, resampled))
    length = max((round(max(0.0, at) * RATE_HZ) + t.size for _, at, t in tracks), default=0)
    mix = np.zeros((length, 2), dtype=np.float32)
    for side, at, track in tracks:
        begin = round(max(0.0, at) * RATE_HZ)
        mix[begin : begin + track.size, side] += track
    _wav(path, (np.clip(mix, -1, 1) * 32767).astype(np.int16).reshape(-1), RATE_HZ, 2)
