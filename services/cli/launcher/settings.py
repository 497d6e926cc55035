"""How patient `viva up` is."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.runtime.settings import Settings


class LauncherSettings(Settings):
    """Settings from the environment, `VIVA_UP_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="VIVA_UP_", frozen=True)

    ready_seconds: float = Field(
        default=600,
        gt=0,
        description="How long a server may take until it serves; the first start prepares models.",
    )
    database_seconds: float = Field(
        default=30,
        gt=0,
        description="How long a database that VIVA_INTERVIEW_DATABASE_URL names, and that may come"
        " up yet, is waited for before anything is started.",
    )
    liveness_seconds: float = Field(
        default=30,
        gt=0,
        description="A server that answers no health check for this long is killed and started"
        " again.",
    )
    drain_seconds: float = Field(
        default=30,
        ge=0,
        validation_alias="VIVA_DRAIN_SECONDS",
        description="After SIGTERM, how long what a server is doing may take to end.",
    )
    closing_seconds: float = Field(
        default=30,
        ge=0,
        validation_alias="VIVA_CLOSING_SECONDS",
        description="After the drain, how long a server may take to release what it holds.",
    )
