"""The recognition server's settings: `VIVA_ASR_…`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from services.runtime.device import DeviceName
from services.runtime.settings import ServerSettings

PACKAGED_MODELS = ("base", "tiny.en")
"""Whisper models that come as packages; they need no download and no folder."""

Engine = Literal["ctranslate2", "triton"]

# By profile: model and device.
_DEFAULTS = {"cpu": ("base", "cpu"), "gpu-48gb": ("large-v3-turbo", "cuda")}


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model to serve: a packaged model's name, a folder or a Hugging Face name; and where."""

    model: str
    device: str
    compute_type: str


class AsrSettings(ServerSettings):
    """What the recognition server runs and how."""

    model_config = SettingsConfigDict(env_prefix="VIVA_ASR_")

    port: int = Field(default=7102, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    max_message_bytes: int = Field(
        default=128 * 1024 * 1024,
        ge=1024,
        description="Largest message accepted: an hour of 16 kHz samples by default.",
    )
    engine: Engine = Field(default="ctranslate2", description="ctranslate2 or triton.")
    model: str | None = Field(
        default=None,
        min_length=1,
        description="base or tiny.en (packaged), a folder with a CTranslate2 Whisper model, or a"
        " Hugging Face name (Systran/faster-whisper-small, large-v3-turbo); absent: by profile.",
    )
    extra_models: list[str] = Field(
        default_factory=list, description='More models to serve, as JSON: ["tiny.en"].'
    )
    device: DeviceName | None = Field(
        default=None, description="cpu, cuda or cuda:N; absent: by profile."
    )
    compute_type: str | None = Field(
        default=None,
        description="CTranslate2's arithmetic; absent: int8 on CPU, float16 on CUDA.",
    )
    workers: int = Field(default=1, ge=1, description="Batches computed at the same time.")
    max_batch_size: int = Field(default=16, ge=1, description="Most windows in a batch.")
    max_batch_ms: float = Field(
        default=1000.0,
        gt=0,
        description="Longest that a batch of several windows is predicted to take: what urgent"
        " work may have to wait for.",
    )
    max_wait_ms: float = Field(
        default=3.0, ge=0, description="How long a window waits for company while a worker is free."
    )
    max_queue: int = Field(default=256, ge=1, description="Most windows waiting.")
    max_queue_bytes: int = Field(
        default=512 * 1024 * 1024,
        ge=1,
        description="Most memory of waiting windows: 160 of 30 s, samples (1.9 MB) and features"
        " (1.3 MB), by default.",
    )
    min_silence_ms: int = Field(
        default=256, ge=50, le=10_000, description="Silence after which a turn is probably over."
    )
    max_silence_ms: int = Field(
        default=608, ge=50, le=30_000, description="Silence after which a turn is over."
    )
    max_turn_seconds: float = Field(
        default=600.0, ge=1, le=1800, description="Longest turn without a silence."
    )
    preview_interval_ms: int = Field(
        default=500, ge=100, description="New speech between two previews of a turn's text."
    )
    turn_completion: bool = Field(
        default=True,
        description="Judge in pauses whether the turn is complete, where pipecat-ai is installed.",
    )
    max_recording_seconds: float = Field(
        default=4 * 3600.0, ge=1, description="Longest recording that is accepted."
    )
    max_stream_seconds: float = Field(
        default=8 * 3600.0, ge=1, description="Longest a live stream may last, gaps included."
    )
    max_gap_seconds: float = Field(
        default=600.0, ge=0, description="Longest gap between two chunks of a stream."
    )
    max_live_streams: int = Field(
        default=256, ge=1, description="Most live streams at the same time."
    )
    max_live_streams_per_caller: int = Field(
        default=128, ge=1, description="Most live streams of one caller at the same time."
    )
    triton_address: str = Field(
        default="127.0.0.1:8001", description="Triton's gRPC address for the engine triton."
    )
    triton_model: str = Field(default="whisper", description="The model's name in Triton.")
    triton_timeout_seconds: float = Field(
        default=30.0, gt=0, description="How long Triton may take for a batch."
    )

    @model_validator(mode="after")
    def _silences_in_order(self) -> AsrSettings:
        if self.max_silence_ms < self.min_silence_ms:
            raise ValueError("max_silence_ms must not be less than min_silence_ms")
        return self

    def choices(self) -> list[ModelChoice]:
        """The models to serve, the default first, the profile's defaults filled in."""
        model, device = _DEFAULTS[self.profile]
        place = self.device or device
        arithmetic = self.compute_type or ("int8" if place == "cpu" else "float16")
        names = dict.fromkeys([self.model or model, *self.extra_models])
        return [ModelChoice(name, place, arithmetic) for name in names]
