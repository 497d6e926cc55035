"""The reflection server's settings."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from edge.envoy.settings import DEFAULT_PORTS
from services.runtime.settings import ServerSettings


class ReflectionSettings(ServerSettings):
    """`VIVA_REFLECTION_<NAME>`; where the other servers are is told by Envoy's settings."""

    model_config = SettingsConfigDict(env_prefix="VIVA_REFLECTION_")

    port: int = Field(
        default=DEFAULT_PORTS["reflection"], ge=0, le=65535, description="gRPC port; 0: a free one."
    )
