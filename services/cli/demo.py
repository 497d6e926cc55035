"""A candidate for those without recordings: written answers, spoken by the mesh itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.runtime.channel import open_channel, outgoing

VOICE = "jm_kumo"
"""Not the interviewer's; of the packaged voices the one that is understood best beside it."""
REHEARSAL_SECONDS = 300.0
"""For one answer, on a machine that has other things to do."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question of the bank, what the candidate says to it, and to what is asked after that."""

    question_id: str
    answer: str
    after: str


INTERVIEW = (
    Prepared(
        "tech-data-index",
        "An index is a sorted structure beside the table, usually a balanced tree, so the database"
        " finds the matching rows without reading the whole table. But it is not free. Every insert"
        " and every update has to change each index as well, and indexes take space on the disk. So"
        " I only index the columns that my queries really search or join on.",
        "I look at the query plan. If the planner reads the whole table although there is an index,"
        " then the index does not fit the query, or the table is so small that it makes no"
        " difference.",
    ),
    Prepared(
        "beh-people-conflict",
        "In my last team a colleague and I disagreed about a deadline. He wanted to ship on Friday,"
        " and I wanted two more days for tests. I asked him for a coffee, and I listened first. His"
        " customer had been waiting for a month. So we shipped the smallest part on Friday, and"
        " the rest on Tuesday. We have worked well together ever since.",
        "I learned that he was under pressure that I had not seen. Since then I ask what is behind"
        " a date before I argue about it.",
    ),
)


async def rehearse(
    address: str, folder: Path, told: Callable[[int, int], None] = lambda _done, _all: None
) -> list[Path]:
    """Has every answer spoken, and writes them as recordings, in the order they are needed.

    Args:
        address: The mesh.
        folder: Where the recordings go.
        told: Called with how many are done, and how many there are.

    Raises:
        grpc.aio.AioRpcError: A call failed.
    """
    texts = [text for prepared in INTERVIEW for text in (prepared.answer, prepared.after)]
    recordings = []
    async with open_channel(address) as channel:
        stub: tts_pb2_grpc.TtsServiceAsyncStub = tts_pb2_grpc.TtsServiceStub(channel)
        for number, text in enumerate(texts):
            told(number, len(texts))
            speech = stub.Synthesize(
                tts_pb2.SynthesizeRequest(
                    text=text,
                    config=tts_pb2.SpeechConfig(
                        voice=VOICE,
                        format=serving_pb2.AudioFormat(encoding=serving_pb2.AUDIO_ENCODING_FLAC),
                        # It may take as long as it takes: nobody is listening yet.
                        priority=serving_pb2.PRIORITY_BATCH,
                    ),
                ),
                **outgoing(REHEARSAL_SECONDS),
            )
            path = folder / f"demo-{number + 1}.flac"
            path.write_bytes(b"".join([message.chunk.audio async for message in speech]))
            recordings.append(path)
    return recordings
