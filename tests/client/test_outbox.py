"""What a client says again after a broken connection."""

from __future__ import annotations

from services.client.outbox import MOST_SECONDS, Outbox
from services.runtime.stats import seconds

CHUNK = 640
CHUNK_SECONDS = 0.02


def numbered(number: int) -> bytes:
    return number.to_bytes(2, "little") * (CHUNK // 2)


def drained(sent: Outbox) -> list[tuple[float, bytes]]:
    chunks = []
    while (chunk := sent.next()) is not None:
        audio = chunk.audio.chunk
        chunks.append((round(seconds(audio.offset), 3), audio.audio))
    return chunks


def test_what_was_not_acknowledged_comes_again_with_the_same_offsets() -> None:
    sent = Outbox()
    for number in range(100):
        sent.speak(numbered(number))
    first = drained(sent)
    assert [offset for offset, _ in first] == [round(n * CHUNK_SECONDS, 3) for n in range(100)]
    assert [audio for _, audio in first] == [numbered(n) for n in range(100)]
    sent.forget(1.01, 0)
    sent.speak(numbered(100))
    sent.rewind()
    assert drained(sent) == [*first[50:], (2.0, numbered(100))]


def test_nothing_comes_again_while_the_connection_holds() -> None:
    sent = Outbox()
    for number in range(10):
        sent.speak(numbered(number))
        assert len(drained(sent)) == 1
        sent.forget(number * CHUNK_SECONDS, 0)
    assert drained(sent) == []


def test_what_waits_is_bounded() -> None:
    sent = Outbox()
    for _ in range(round(2 * MOST_SECONDS / CHUNK_SECONDS)):
        sent.speak(bytes(CHUNK))
    waiting = drained(sent)
    assert len(waiting) == round(MOST_SECONDS / CHUNK_SECONDS)
    assert waiting[0][0] == MOST_SECONDS
