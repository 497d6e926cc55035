"""Opaque tokens: where a client goes on, in the events of an interview or in the pages of a list.

A token is bound to what it was made for by a digest, so that one of another list, user or interview
is refused instead of misread. The digest keeps no secret: whatever a token says, a caller sees only
what is their own.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
import uuid
from datetime import UTC, datetime

from services.interview.record import EPOCH_BYTES
from services.interview.refusals import RefusedField
from services.interview.store.store import Place
from services.runtime.errors import FailedPrecondition

_BINDING_BYTES = 8
_DIGITS = 9
"""Of the number of an item in a list: none is longer."""


def _binding(*parts: str | bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=_BINDING_BYTES)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.digest()


def _written(payload: bytes, *bound_to: str | bytes) -> str:
    token = _binding(payload, *bound_to) + payload
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def _read(token: str, *bound_to: str | bytes) -> bytes | None:
    """The payload; None if the token was not made for this."""
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        data = base64.b64decode(padded, altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    binding, payload = data[:_BINDING_BYTES], data[_BINDING_BYTES:]
    return payload if binding == _binding(payload, *bound_to) else None


def resume_token(interview_id: str, epoch: bytes, seq: int) -> str:
    """What a client joins again with once it has handled event `seq` of this run of events."""
    return _written(struct.pack(">8sQ", epoch, seq), "events", interview_id)


def resumed_seq(token: str, interview_id: str, epoch: bytes, newest: int) -> int:
    """The event a resume token names.

    Args:
        token: What the client sent.
        interview_id: The interview it joins.
        epoch: Names the run of events that is kept now.
        newest: The number of the newest event.

    Raises:
        RefusedField: RESUME_TOKEN_INVALID, it is no token of this interview.
        FailedPrecondition: RESUME_TOKEN_STALE, its events are no longer those that are kept.
    """
    payload = _read(token, "events", interview_id)
    if payload is None or len(payload) != EPOCH_BYTES + 8:
        raise RefusedField(
            "RESUME_TOKEN_INVALID",
            "join.resume_token",
            "is not of this interview; send the last event's, unchanged, or none",
        )
    kept, seq = struct.unpack(">8sQ", payload)
    if kept != epoch or seq > newest:
        raise FailedPrecondition(
            "RESUME_TOKEN_STALE",
            "join.resume_token: its events are not kept any more; join without one, and read what"
            " was said before with ListTurns",
        )
    return int(seq)


def page_token(cursor: str, *bound_to: str) -> str:
    """What reads a list on behind `cursor`."""
    return _written(cursor.encode(), "page", *bound_to)


def page_cursor(token: str | None, *bound_to: str) -> str | None:
    """The cursor of a page token; None without a token.

    Raises:
        RefusedField: PAGE_TOKEN_INVALID, it is no token of this list.
    """
    if token is None:
        return None
    payload = _read(token, "page", *bound_to)
    try:
        cursor = None if payload is None else payload.decode()
    except UnicodeDecodeError:
        cursor = None
    if cursor is None:
        raise _no_page_token()
    return cursor


def page_start(token: str | None, *bound_to: str) -> int:
    """The number of the first item of a page, whose cursor is that number; 0 without a token.

    Raises:
        RefusedField: PAGE_TOKEN_INVALID, it is no token of this list.
    """
    cursor = page_cursor(token, *bound_to)
    if cursor is None:
        return 0
    # Whoever reads this file can write a token: what it says is no more than a caller's word.
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _DIGITS):
        raise _no_page_token()
    return int(cursor)


def page_place(token: str | None, *bound_to: str) -> Place | None:
    """The place behind which a page begins, by `place_cursor`; None without a token.

    Raises:
        RefusedField: PAGE_TOKEN_INVALID, it is no token of this list.
    """
    cursor = page_cursor(token, *bound_to)
    if cursor is None:
        return None
    created, _, interview_id = cursor.partition(" ")
    try:
        when = datetime.fromisoformat(created).astimezone(UTC)
        name = uuid.UUID(interview_id).hex
    except (ValueError, OverflowError):
        raise _no_page_token() from None
    # As it is written here, and in no other way.
    if name != interview_id or when.isoformat() != created:
        raise _no_page_token()
    return Place(when, name)


def place_cursor(place: Place) -> str:
    """What `page_place` reads."""
    return f"{place.created.astimezone(UTC).isoformat()} {place.interview_id}"


def _no_page_token() -> RefusedField:
    return RefusedField(
        "PAGE_TOKEN_INVALID",
        "page_token",
        "is not of this list; send the page before's next_page_token and its other fields, or"
        " begin without one",
    )
