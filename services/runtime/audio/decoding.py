"""Whole recordings: what file they are, whether they are sound, and their samples in blocks.

A recording is kept in a temporary file and read block by block, so that an hour of speech is never
in memory as samples. Everything wrong with it is said as an InvalidField that names `audio` or the
part of `format` that doesn't agree with it.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO

import soundfile
from viva.serving.v1 import serving_pb2

from services.runtime.audio import g711, pcm
from services.runtime.errors import InvalidField

MIN_RATE_HZ = 8_000
MAX_RATE_HZ = 48_000
MAX_CHANNELS = 8
_BLOCK_SECONDS = 10
_IN_MEMORY = 4 * 1024 * 1024
"""Bytes from which a recording goes to disk."""


@dataclass(frozen=True, slots=True)
class RawEncoding:
    """Raw samples: bytes a sample, and how to read them."""

    width: int
    read: Callable[[bytes], pcm.Float32]


RAW_ENCODINGS = {
    serving_pb2.AUDIO_ENCODING_PCM_S16LE: RawEncoding(2, pcm.float_from_s16le),
    serving_pb2.AUDIO_ENCODING_PCM_F32LE: RawEncoding(4, pcm.float_from_f32le),
    serving_pb2.AUDIO_ENCODING_MULAW: RawEncoding(1, g711.float_from_mulaw),
    serving_pb2.AUDIO_ENCODING_ALAW: RawEncoding(1, g711.float_from_alaw),
}
_FILES = {
    serving_pb2.AUDIO_ENCODING_WAV: "a WAV file",
    serving_pb2.AUDIO_ENCODING_FLAC: "a FLAC file",
    serving_pb2.AUDIO_ENCODING_OGG_OPUS: "an Ogg Opus file",
}
_EMPTY = "the recording holds no samples"
# A writer that could not go back to its header leaves one of these as the length (RFC 2361 files
# from pipes): the data goes on to the end of the file.
_UNKNOWN_LENGTHS = (0, 0x7FFFFFFF, 0xFFFFFFFF)
_MOST_CHUNKS = 1_000
"""RIFF chunks looked at for the samples; files have a handful."""
_OGG_PAGE_HEADER = 27
_OGG_LAST_PAGE = 0x04
_OGG_MAX_PAGE = 65_307
"""Bytes (RFC 3533)."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """What a recording's header, or the caller, says of its samples."""

    encoding: serving_pb2.AudioEncoding.ValueType
    rate_hz: int
    channels: int
    frames: int


class Recording:
    """An opened recording.

    It may be closed while another thread reads it: the reader then finds no more blocks. libsndfile
    itself would crash the process.
    """

    def __init__(self, file: IO[bytes], layout: _Layout, target_hz: int, opened: ExitStack) -> None:
        self._file = file
        self._opened = opened
        self._layout = layout
        self._target_hz = target_hz
        self._using = threading.Lock()
        self._closed = False

    @property
    def seconds(self) -> float:
        """Its length as its header says."""
        return self._layout.frames / self._layout.rate_hz

    def blocks(self) -> Iterator[pcm.Float32]:
        """Its samples, mono at the target rate, ten seconds at a time.

        It reads and computes: use it off the event loop.

        Raises:
            InvalidField: The data is damaged or ends before the header says.
        """
        resampler = pcm.StreamResampler(self._layout.rate_hz, self._target_hz)
        raw = self._layout.encoding in RAW_ENCODINGS
        for block in self._raw_blocks() if raw else self._file_blocks():
            yield resampler.feed(pcm.mono(block, self._layout.channels))
        yield resampler.feed(pcm.float_from_s16le(b""), last=True)

    def close(self) -> None:
        """Ends reading; waits for the block that is being read."""
        with self._using:
            self._closed = True

    def _raw_blocks(self) -> Iterator[pcm.Float32]:
        raw = RAW_ENCODINGS[self._layout.encoding]
        size = _BLOCK_SECONDS * self._layout.rate_hz * raw.width * self._layout.channels
        position = 0
        while True:
            with self._using:
                if self._closed:
                    return
                self._file.seek(position)
                data = self._file.read(size)
            if not data:
                return
            position += len(data)
            yield raw.read(data)

    def _file_blocks(self) -> Iterator[pcm.Float32]:
        size = _BLOCK_SECONDS * self._layout.rate_hz
        count = 0
        sound: soundfile.SoundFile | None = None
        while True:
            with self._using:
                if self._closed:
                    return
                try:
                    if sound is None:
                        self._file.seek(0)
                        # A reader that stops early leaves it to the recording to close this.
                        sound = self._opened.enter_context(soundfile.SoundFile(self._file))
                    block = sound.read(size, dtype="float32", always_2d=True)
                except soundfile.LibsndfileError as error:
                    raise _damaged(error) from None
            if not len(block):
                break
            count += len(block)
            yield pcm.sound(block.reshape(-1))
        if count < self._layout.frames:
            raise _truncated(self._layout.frames, count, self._layout.rate_hz)


@contextmanager
def open_recording(
    audio: bytes, audio_format: serving_pb2.AudioFormat, *, target_hz: int
) -> Iterator[Recording]:
    """Opens a recording that came as bytes.

    Args:
        audio: The file, or raw samples if `audio_format` says so.
        audio_format: What the caller says of it; all of it may be absent for a file.
        target_hz: The rate to resample to.

    Raises:
        InvalidField: It is empty, damaged, truncated, of an unknown kind, or not what
            `audio_format` says.
    """
    with SpooledTemporaryFile(max_size=_IN_MEMORY) as file, ExitStack() as opened:
        file.write(audio)
        encoding = _encoding(audio, audio_format)
        if encoding in RAW_ENCODINGS:
            layout = _raw_layout(len(audio), encoding, audio_format)
        else:
            _check_complete(audio, encoding)
            file.seek(0)
            layout = _file_layout(file, encoding, audio_format)
        if layout.frames == 0:
            raise InvalidField("audio", _EMPTY)
        recording = Recording(file, layout, target_hz, opened)
        try:
            yield recording
        finally:
            recording.close()


def detect(audio: bytes) -> serving_pb2.AudioEncoding.ValueType:
    """The kind of file; AUDIO_ENCODING_UNSPECIFIED if it is none that is known."""
    if audio[:4] in {b"RIFF", b"RF64"} and audio[8:12] == b"WAVE":
        return serving_pb2.AUDIO_ENCODING_WAV
    if audio[:4] == b"fLaC":
        return serving_pb2.AUDIO_ENCODING_FLAC
    if audio[:4] == b"OggS" and audio[28:36] == b"OpusHead":
        return serving_pb2.AUDIO_ENCODING_OGG_OPUS
    return serving_pb2.AUDIO_ENCODING_UNSPECIFIED


def file_kind(audio: bytes) -> str | None:
    """What people call the kind of file, None if it is none that is known."""
    return _FILES.get(detect(audio))


def _encoding(
    audio: bytes, audio_format: serving_pb2.AudioFormat
) -> serving_pb2.AudioEncoding.ValueType:
    said, found = audio_format.encoding, detect(audio)
    if said in RAW_ENCODINGS:
        if found:
            raise InvalidField("format.encoding", f"says raw samples, but this is {_FILES[found]}")
        return said
    if not found:
        kind = _FILES.get(said, "a WAV, FLAC or Ogg Opus file")
        remedy = "" if said else "; for raw samples set format.encoding and format.sample_rate_hz"
        raise InvalidField("audio", f"this is not {kind}{remedy}")
    if said and said != found:
        raise InvalidField("format.encoding", f"says {_FILES[said]}, but this is {_FILES[found]}")
    return found


def _raw_layout(
    size: int,
    encoding: serving_pb2.AudioEncoding.ValueType,
    audio_format: serving_pb2.AudioFormat,
) -> _Layout:
    if not audio_format.HasField("sample_rate_hz"):
        raise InvalidField("format.sample_rate_hz", "raw samples need their rate")
    channels = audio_format.channels if audio_format.HasField("channels") else 1
    width = RAW_ENCODINGS[encoding].width * channels
    if size % width:
        raise InvalidField(
            "audio", f"{size} bytes are no whole number of sample frames of {width} bytes"
        )
    return _Layout(encoding, audio_format.sample_rate_hz, channels, size // width)


def _file_layout(
    file: IO[bytes],
    encoding: serving_pb2.AudioEncoding.ValueType,
    audio_format: serving_pb2.AudioFormat,
) -> _Layout:
    try:
        with soundfile.SoundFile(file) as sound:
            layout = _Layout(encoding, sound.samplerate, sound.channels, sound.frames)
    except soundfile.LibsndfileError as error:
        raise _damaged(error) from None
    if audio_format.HasField("sample_rate_hz") and audio_format.sample_rate_hz != layout.rate_hz:
        raise InvalidField(
            "format.sample_rate_hz",
            f"says {audio_format.sample_rate_hz} Hz, but the file has {layout.rate_hz} Hz",
        )
    if audio_format.HasField("channels") and audio_format.channels != layout.channels:
        raise InvalidField(
            "format.channels",
            f"says {audio_format.channels}, but the file has {layout.channels}",
        )
    if layout.channels > MAX_CHANNELS:
        raise InvalidField(
            "audio", f"the file has {layout.channels} channels; up to {MAX_CHANNELS} are accepted"
        )
    if not MIN_RATE_HZ <= layout.rate_hz <= MAX_RATE_HZ:
        raise InvalidField(
            "audio",
            f"the file has {layout.rate_hz} Hz; {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz are accepted",
        )
    return layout


def _check_complete(audio: bytes, encoding: serving_pb2.AudioEncoding.ValueType) -> None:
    """Refuses what libsndfile would read without a word although its end is missing."""
    if encoding == serving_pb2.AUDIO_ENCODING_WAV:
        _check_wav(audio)
    elif encoding == serving_pb2.AUDIO_ENCODING_OGG_OPUS:
        _check_ogg(audio)


def _check_wav(audio: bytes) -> None:
    position = 12
    rate = 0
    for _ in range(_MOST_CHUNKS):
        if position + 8 > len(audio):
            break
        name, size = struct.unpack_from("<4sI", audio, position)
        position += 8
        if name == b"fmt " and position + 12 <= len(audio):
            rate = struct.unpack_from("<I", audio, position + 8)[0]
        if name == b"data":
            present = len(audio) - position
            if present == 0:
                raise InvalidField("audio", _EMPTY)
            if size not in _UNKNOWN_LENGTHS and audio[:4] == b"RIFF" and present < size:
                raise InvalidField(
                    "audio",
                    f"the file is truncated: its header says {size} bytes of samples"
                    f" at {rate} Hz, {present} are there",
                )
            return
        position += size + size % 2
    raise InvalidField("audio", f"the file is truncated: {_EMPTY}")


def _check_ogg(audio: bytes) -> None:
    # The last page begins within the greatest page size of the end.
    last = audio.rfind(b"OggS", max(0, len(audio) - _OGG_MAX_PAGE))
    header = audio[last : last + _OGG_PAGE_HEADER] if last >= 0 else b""
    whole = False
    if len(header) == _OGG_PAGE_HEADER:
        segments = audio[last + _OGG_PAGE_HEADER : last + _OGG_PAGE_HEADER + header[26]]
        whole = last + _OGG_PAGE_HEADER + header[26] + sum(segments) <= len(audio)
    if not whole or not header[5] & _OGG_LAST_PAGE:
        raise InvalidField("audio", "the file is truncated: its last page is missing")


def _damaged(error: soundfile.LibsndfileError) -> InvalidField:
    return InvalidField("audio", f"the file is damaged: {error.error_string}")


def _truncated(expected: int, found: int, rate_hz: int) -> InvalidField:
    return InvalidField(
        "audio",
        f"the file is truncated: its header says {expected / rate_hz:.2f} s,"
        f" {found / rate_hz:.2f} s are there",
    )
