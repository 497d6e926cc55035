"""The server's settings, `VIVA_TTS_…`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.runtime.device import DeviceName
from services.runtime.settings import ServerSettings

# What the interviewer says in every interview.
_FREQUENT_LINES = Path(__file__).with_name("frequent_lines.txt")
_DEVICES = {"cpu": "cpu", "gpu-48gb": "cuda"}


class TtsSettings(ServerSettings):
    """Settings of the text-to-speech server."""

    model_config = SettingsConfigDict(env_prefix="VIVA_TTS_")

    port: int = Field(default=7103, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    max_message_bytes: int = Field(
        default=16 * 1024 * 1024,
        ge=1024,
        description="Largest message accepted: a reference voice of 8 MiB and room to spare.",
    )
    engines: tuple[Literal["piper", "kokoro"], ...] = Field(
        default=("piper", "kokoro"), description="The packaged engines to load."
    )
    piper_models: tuple[Path, ...] = Field(
        default=(), description="More Piper voices: .onnx files, each with its .onnx.json."
    )
    coqui_models: tuple[str, ...] = Field(
        default=(),
        description="Coqui models: a folder with config.json and the checkpoint, or a name such as"
        " tts_models/multilingual/multi-dataset/xtts_v2.",
    )
    default_voice: str = Field(default="joe", description="Who speaks when no voice is asked for.")
    device: DeviceName | None = Field(
        default=None, description="Where the engines run, cpu, cuda or cuda:N; absent: by profile."
    )
    device_memory_bytes: int | None = Field(
        default=None,
        ge=1,
        description="Most memory of a CUDA device that each ONNX model may take; absent: no limit.",
    )
    target_lufs: float = Field(
        default=-18.0, ge=-40, le=-10, description="Loudness of every voice (ITU-R BS.1770)."
    )
    cache_bytes: int = Field(
        default=64 * 1024 * 1024, ge=0, description="Memory for lines made before."
    )
    frequent_lines: Path = Field(
        default=_FREQUENT_LINES,
        description="A text file; each of its lines is made ahead, in every voice and style in use,"
        " and kept on disk.",
    )
    max_queue: int = Field(default=256, ge=1, description="Most phrases waiting for an engine.")
    max_queue_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=1,
        description="Most memory of phrases waiting for an engine; one in a voice to imitate holds"
        " its recording, 2.6 MB for 30 s.",
    )
    first_phrase_seconds: float = Field(
        default=20.0, gt=0, description="Longest an interactive segment's first phrase may take."
    )
    phrase_seconds: float = Field(
        default=40.0, gt=0, description="Longest any later phrase of one may take."
    )

    def place(self) -> str:
        """Where the engines run, the profile's default filled in."""
        return self.device or _DEVICES[self.profile]
