"""The settings every server has. A server subclasses `ServerSettings` and sets its prefix."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from services.runtime.collector import Collector

Profile = Literal["cpu", "gpu-48gb"]

# 1 KiB under 4 MiB would be gRPC's default; servers that take files raise it.
DEFAULT_MAX_MESSAGE_BYTES = 8 * 1024 * 1024


def default_data_dir() -> Path:
    """Where model files, caches and logs live unless VIVA_DATA_DIR says otherwise."""
    return Path.home() / ".local" / "share" / "viva"


class Settings(BaseSettings):
    """Settings from the environment.

    A variable that is empty counts as one that is not there: files of compose and systemd leave
    them so.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="forbid", populate_by_name=True)


class ServerSettings(Settings):
    """Settings from the environment: `VIVA_<SERVER>_<NAME>`.

    Those with an alias are read from `VIVA_<NAME>`, for all servers alike.
    """

    model_config = SettingsConfigDict(env_prefix="VIVA_")

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(default=0, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="Prometheus port; 0 serves no metrics."
    )
    threads: int = Field(default=2, ge=1, description="Threads of the model's computation.")
    lame_duck_seconds: float = Field(
        default=2.5,
        ge=0,
        description="After SIGTERM, how long to answer NOT_SERVING while still taking calls, so"
        " that load balancers notice: a little over two health checks. Of the time to drain, and"
        " no longer than that.",
    )
    drain_seconds: float = Field(
        default=30.0,
        ge=0,
        validation_alias="VIVA_DRAIN_SECONDS",
        description="After SIGTERM, how long running calls may take to finish; streams end where"
        " nothing is cut.",
    )
    closing_seconds: float = Field(
        default=30.0,
        ge=0,
        validation_alias="VIVA_CLOSING_SECONDS",
        description="After the drain, how long to release what is held; a process in which a model"
        " hangs is ended then.",
    )
    hung_seconds: float = Field(
        default=30.0,
        gt=0,
        description="A call of a model that has not moved for this long, and for ten times as long"
        " as any before, counts as failed; after four times that the process ends with status 3.",
    )
    max_message_bytes: int = Field(
        default=DEFAULT_MAX_MESSAGE_BYTES, ge=1024, description="Largest message accepted."
    )
    max_streams: int = Field(
        default=1000, ge=1, description="Concurrent calls a connection may hold."
    )
    max_concurrent_rpcs: int = Field(
        default=2000, ge=1, description="Concurrent calls of all connections; more are refused."
    )
    receive_seconds: float = Field(
        default=120.0, gt=0, description="How long the request of a call with one may take to come."
    )
    first_message_seconds: float = Field(
        default=20.0,
        gt=0,
        description="How long the first message of a call with many may take to come.",
    )
    allow_insecure: bool = Field(
        default=False,
        validation_alias="VIVA_ALLOW_INSECURE",
        description="1 allows to listen, without authentication, where other machines can call.",
    )
    data_dir: Path = Field(
        default_factory=default_data_dir,
        validation_alias="VIVA_DATA_DIR",
        description="Where model files, caches and logs live.",
    )
    profile: Profile = Field(
        default="cpu", validation_alias="VIVA_PROFILE", description="cpu or gpu-48gb."
    )
    otlp_endpoint: str | None = Field(
        default=None,
        validation_alias="VIVA_OTLP_ENDPOINT",
        description="OTLP/gRPC collector for traces, for example http://localhost:4317; https"
        " speaks TLS.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", validation_alias="VIVA_LOG_LEVEL", description="Lowest level logged."
    )

    @field_validator("data_dir")
    @classmethod
    def _expanded(cls, value: Path) -> Path:
        # No shell has read what a file of variables says.
        return value.expanduser().absolute()

    @field_validator("otlp_endpoint")
    @classmethod
    def _collector(cls, value: str | None) -> str | None:
        return str(Collector.parse(value)) if value else None


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def load(settings: type[SettingsT], **told: Any) -> SettingsT:
    """Reads settings from the environment, save those that are told.

    Raises:
        SystemExit: With status 2, after a line for each variable at fault.
    """
    try:
        return settings(**told)
    except (ValidationError, SettingsError) as error:
        sys.stderr.writelines(f"{line}\n" for line in problems(settings, error))
    raise SystemExit(2)


def problems(settings: type[BaseSettings], error: ValidationError | SettingsError) -> list[str]:
    """A line for each variable at fault; what several variables are together names none."""
    if isinstance(error, SettingsError):
        # A list or map that is not JSON; pydantic-settings names the field in its message alone.
        field = re.search(r'field "(\w+)"', str(error))
        named = variable(settings, field[1]) if field else "settings"
        return [f"{named}: cannot be read as JSON"]
    found = []
    for problem in error.errors(include_url=False):
        what = problem["msg"].removeprefix("Value error, ")
        if problem["loc"]:
            at_fault = str(problem["loc"][0])
            given = repr(problem["input"])
            told = "" if _is_secret(settings, at_fault) else f" (it is {without_user(given)})"
            what = f"{variable(settings, at_fault)}: {what}{told}"
        found.append(what)
    return found


def without_user(text: str) -> str:
    """What may be told of what may be a URL: not what stands before an @, a password perhaps."""
    _, at, rest = text.rpartition("@")
    return f"…@{rest}" if at else text


def _is_secret(settings: type[BaseSettings], field: str) -> bool:
    """Whether what a field is set to must not be told; it is named by itself or its alias."""
    for name, about in settings.model_fields.items():
        if field in {name, about.validation_alias}:
            return "Secret" in str(about.annotation)
    return True


def variable(settings: type[BaseSettings], field: str) -> str:
    """The environment variable of a field, which pydantic names by the field or its alias."""
    if field not in settings.model_fields:
        return field
    alias = settings.model_fields[field].validation_alias
    if isinstance(alias, str):
        return alias
    return f"{settings.model_config.get('env_prefix', '')}{field.upper()}"
