"""The embedding server's settings: `VIVA_EMBED_…`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.embed.pooling import Pooling
from services.runtime.device import DeviceName
from services.runtime.settings import ServerSettings

PACKAGED_MODEL = "all-MiniLM-L6-v2"
"""The model that comes as a package; needs no download and no folder."""

Engine = Literal["ctranslate2", "transformers", "onnxruntime", "triton"]
ComputeType = Literal["int8", "float16", "bfloat16", "float32"]

# By profile: engine, model, device. BGE-M3 is multilingual and takes 8,192 tokens.
_DEFAULTS: dict[str, tuple[Engine, str, str]] = {
    "cpu": ("ctranslate2", PACKAGED_MODEL, "cpu"),
    "gpu-48gb": ("transformers", "BAAI/bge-m3", "cuda"),
}


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model to serve.

    Attributes:
        engine: What runs it.
        model: `PACKAGED_MODEL`, a folder, or a Hugging Face name.
        name: What requests call it.
        device: Where it runs, where the engine has a choice.
        compute_type: Precision of the engines that have a choice.
        languages: BCP 47 tags; empty when unknown.
    """

    engine: Engine
    model: str
    name: str
    device: str
    compute_type: ComputeType
    languages: tuple[str, ...]


class EmbedSettings(ServerSettings):
    """What the embedding server runs and how."""

    model_config = SettingsConfigDict(env_prefix="VIVA_EMBED_")

    port: int = Field(default=7101, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    engine: Engine | None = Field(
        default=None,
        description="ctranslate2, transformers, onnxruntime or triton; absent: by profile, or"
        " onnxruntime for a folder that holds nothing but an ONNX graph.",
    )
    model: str | None = Field(
        default=None,
        min_length=1,
        description=f"{PACKAGED_MODEL}, a folder in the Hugging Face layout or, with the engine"
        " transformers, a Hugging Face name; absent: by profile.",
    )
    model_name: str | None = Field(
        default=None, description="What requests call the model; absent: the end of `model`."
    )
    languages: list[str] | None = Field(
        default=None, description='BCP 47 tags, as JSON: ["en"]. Absent: unknown.'
    )
    device: DeviceName | None = Field(
        default=None, description="cpu, cuda or cuda:N; absent: by profile."
    )
    compute_type: ComputeType | None = Field(
        default=None,
        description="Precision of the engines ctranslate2 and transformers; absent: float32 on a"
        " CPU; on CUDA float16, or with transformers bfloat16 where the weights are. int8"
        " (ctranslate2) is 1.4 times as fast as float32 in a quarter of the memory, but turns"
        " vectors by up to 10 degrees: embed everything anew after a change.",
    )
    pooling: Pooling | None = Field(
        default=None, description="mean or cls; absent: as the model's files say."
    )
    query_instruction: str | None = Field(
        default=None,
        description='Put before queries, "query: " say; absent: as the model\'s files say.',
    )
    passage_instruction: str | None = Field(
        default=None, description="Put before passages; absent: as the model's files say."
    )
    max_tokens: int | None = Field(
        default=None, ge=8, description="Most tokens of a text; absent: the model's own limit."
    )
    rerank_model: str | None = Field(
        default=None,
        min_length=1,
        description="A cross-encoder for Rerank (torch): a folder or a Hugging Face name."
        " Absent: Rerank orders by the encoder's cosine similarity.",
    )
    max_batch_size: int = Field(default=32, ge=1, description="Most texts in a batch.")
    max_batch_tokens: int | None = Field(
        default=None,
        ge=1,
        description="Most tokens in a batch, unless one text alone has more; absent: 2,048 on a"
        " CPU, 16,384 elsewhere: a GPU with less to do is idle between its kernels.",
    )
    max_batch_ms: float = Field(
        default=100.0,
        gt=0,
        description="Longest that a batch of several texts is predicted to take: what urgent work"
        " may have to wait for.",
    )
    max_wait_ms: float = Field(
        default=3.0, ge=0, description="How long a text waits for company while the model is free."
    )
    max_queue: int = Field(
        default=4096,
        ge=1,
        description="Most texts waiting; requests beyond are refused. A caller has half at most.",
    )
    max_queue_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=1,
        description="Most memory of waiting texts, as tokens (16 bytes each): 4 million here.",
    )
    triton_address: str = Field(
        default="127.0.0.1:8001", description="Triton's gRPC address for the engine triton."
    )
    triton_model: str = Field(default="encoder", description="The model's name in Triton.")
    triton_timeout_seconds: float = Field(
        default=30.0, gt=0, description="How long Triton may take for a batch."
    )

    def batch_tokens(self) -> int:
        """Most tokens in a batch, the device's default filled in."""
        if self.max_batch_tokens is not None:
            return self.max_batch_tokens
        choice = self.choice()
        return 2048 if choice.device == "cpu" and choice.engine != "triton" else 16384

    def choice(self) -> ModelChoice:
        """What to run, the profile's defaults filled in."""
        engine, model, device = _DEFAULTS[self.profile]
        chosen = self.engine or engine
        # The profile's model belongs to the profile's engine.
        fallback = model if chosen == engine else PACKAGED_MODEL
        named = self.model or fallback
        placed = self.device or device
        precision: ComputeType = "float16" if placed.startswith("cuda") else "float32"
        return ModelChoice(
            engine=chosen,
            model=named,
            name=self.model_name or named.rstrip("/").rpartition("/")[2],
            device=placed,
            compute_type=self.compute_type or precision,
            languages=tuple(self.languages or (["en"] if named == PACKAGED_MODEL else [])),
        )
