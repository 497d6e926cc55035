"""The settings every server has. A server subclasses `ServerSettings` and sets its prefix."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

Profile = Literal["cpu", "gpu-48gb"]

# 1 KiB under 4 MiB would be gRPC's default; servers that take files raise it.
DEFAULT_MAX_MESSAGE_BYTES = 8 * 1024 * 1024


def default_data_dir() -> Path:
    """Where model files, caches and logs live unless VIVA_DATA_DIR says otherwise."""
    return Path.home() / ".local" / "share" / "viva"


def _shared(name: str) -> AliasChoices:
    """Accepts the field's own name in code and VIVA_<NAME>, for all servers, outside."""
    return AliasChoices(name, f"VIVA_{name.upper()}")


class ServerSettings(BaseSettings):
    """Settings from the environment: `VIVA_<SERVER>_<NAME>`, or `VIVA_<NAME>` for all servers."""

    model_config = SettingsConfigDict(env_prefix="VIVA_", extra="forbid", populate_by_name=True)

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(default=0, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="Prometheus port; 0 serves no metrics."
    )
    threads: int = Field(default=2, ge=1, description="Threads of the model's computation.")
    drain_seconds: float = Field(
        default=2.5,
        ge=0,
        description="After SIGTERM, how long to answer NOT_SERVING while still taking calls, so"
        " that load balancers notice: a little over two health checks.",
    )
    grace_seconds: float = Field(
        default=10.0, ge=0, description="After the drain, how long running calls may finish."
    )
    max_message_bytes: int = Field(
        default=DEFAULT_MAX_MESSAGE_BYTES, ge=1024, description="Largest message accepted."
    )
    max_streams: int = Field(
        default=1000, ge=1, description="Concurrent calls a connection may hold."
    )
    data_dir: Path = Field(
        default_factory=default_data_dir,
        validation_alias=_shared("data_dir"),
        description="Where model files, caches and logs live.",
    )
    profile: Profile = Field(
        default="cpu", validation_alias=_shared("profile"), description="cpu or gpu-48gb."
    )
    otlp_endpoint: str | None = Field(
        default=None,
        validation_alias=_shared("otlp_endpoint"),
        description="OTLP/gRPC collector for traces, for example http://localhost:4317.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", validation_alias=_shared("log_level"), description="Lowest level logged."
    )


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def load(settings: type[SettingsT]) -> SettingsT:
    """Reads settings from the environment.

    Raises:
        SystemExit: With status 2, after a line for each variable at fault.
    """
    try:
        return settings()
    except ValidationError as error:
        sys.stderr.writelines(f"{line}\n" for line in problems(settings, error))
        raise SystemExit(2) from None


def problems(settings: type[BaseSettings], error: ValidationError) -> list[str]:
    """A line for each variable at fault; what several variables are together names none."""
    return [
        f"{variable(settings, str(problem['loc'][0]))}: {problem['msg']}"
        f" (it is {problem['input']!r})"
        if problem["loc"]
        else problem["msg"]
        for problem in error.errors(include_url=False)
    ]


def variable(settings: type[BaseSettings], field: str) -> str:
    """The environment variable of a field, which pydantic names by the field or its alias."""
    alias = (
        settings.model_fields[field].validation_alias if field in settings.model_fields else field
    )
    match alias:
        case AliasChoices(choices=choices):
            return str(choices[-1])
        case str():
            return alias
    return f"{settings.model_config.get('env_prefix', '')}{field.upper()}"
