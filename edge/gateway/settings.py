"""The gateway's settings, `VIVA_GATEWAY_<NAME>`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from edge.envoy.settings import DEFAULT_PORTS, HTTP_PORTS
from services.runtime.key_file import ToldKey
from services.runtime.postgres.database import Server
from services.runtime.postgres.embedded import FOLDER
from services.runtime.postgres.url import PostgresUrl
from services.runtime.settings import DEFAULT_MAX_MESSAGE_BYTES, ServerSettings

MESH = "localhost:7000"
INTERVIEW_DATABASE = "VIVA_INTERVIEW_DATABASE_URL"


def _interviews_database() -> SecretStr | None:
    url = os.environ.get(INTERVIEW_DATABASE)
    return SecretStr(url) if url else None


class GatewaySettings(ServerSettings):
    """Where accounts are kept, how long tokens last, how mail goes out."""

    model_config = SettingsConfigDict(env_prefix="VIVA_GATEWAY_", validate_default=True)

    port: int = Field(
        default=DEFAULT_PORTS["gateway"], ge=0, le=65535, description="gRPC port; 0: a free one."
    )
    max_message_bytes: int = Field(
        default=DEFAULT_MAX_MESSAGE_BYTES + 1024 * 1024,
        ge=1024,
        description="Largest message accepted; a JSON body that the edge takes must fit in one,"
        " VIVA_ENVOY_EDGE_MAX_REQUEST_BYTES and a little.",
    )
    jwks_port: int = Field(
        default=HTTP_PORTS["gateway"],
        ge=0,
        le=65535,
        description="HTTP port of the public keys, /.well-known/jwks.json; 0: a free one.",
    )
    interview_address: str = Field(
        default=MESH,
        description="Interviews, host:port: what users have there is exported and deleted.",
    )
    database_url: PostgresUrl | None = Field(
        default_factory=_interviews_database,
        description="PostgreSQL, postgresql://user:password@host/database; without it that of the"
        " interviews, VIVA_INTERVIEW_DATABASE_URL or the server that `viva up` runs.",
    )
    store_seconds: float = Field(
        default=2.5, gt=0, le=60, description="What any one thing may take in the database."
    )
    keys_key: ToldKey | None = Field(
        default=None,
        description="What signing keys are encrypted with, 32 bytes in base64; without it a file in"
        " the data folder, made at the first start.",
    )
    key_days: float = Field(
        default=30, ge=1, le=365, description="Days after which another key signs access tokens."
    )
    access_seconds: int = Field(
        default=900, ge=60, le=3600, description="How long an access token is good for."
    )
    session_days: float = Field(
        default=30, ge=1, le=365, description="A session that is not renewed for so long ends."
    )
    longest_session_days: float = Field(
        default=180, ge=1, le=3650, description="And after so long, however often it was renewed."
    )
    free_interviews: int = Field(
        default=5, ge=0, description="Interviews a month of the plan free."
    )
    guest_interviews: int = Field(default=1, ge=0, description="Interviews of a guest, in all.")
    guests_per_hour: int = Field(
        default=60, ge=1, description="Guests and registrations an hour from one address."
    )
    hash_memory_kib: int = Field(
        default=65_536,
        ge=64,
        description="Memory that hashing a password takes, in KiB (argon2id).",
    )
    hash_passes: int = Field(default=3, ge=1, le=32, description="Passes of argon2id over it.")
    hash_threads: int = Field(
        default=2, ge=1, le=32, description="Passwords that are hashed at the same time."
    )
    public_url: str = Field(
        default="http://localhost:8080",
        description="Where people find the pages; links in mail begin with it.",
    )
    smtp_host: str | None = Field(
        default=None,
        min_length=1,
        description="Mail server; without one messages are written to the folder mail in the data"
        " folder.",
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the way there is encrypted."
    )
    smtp_user: str | None = Field(default=None, description="Who this is to the mail server.")
    smtp_password: SecretStr | None = Field(default=None, description="That user's password.")
    mail_from: str = Field(
        default="Viva <viva@localhost>", min_length=3, description="Whom messages come from."
    )

    @field_validator("public_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must begin with http:// or https:// and name a host")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _password_over_tls(self) -> Self:
        if self.smtp_password is not None and self.smtp_security == "none":
            raise ValueError(
                "VIVA_GATEWAY_SMTP_PASSWORD would go in clear: VIVA_GATEWAY_SMTP_SECURITY is none"
            )
        return self

    @property
    def folder(self) -> Path:
        """Where the gateway keeps files of its own."""
        return self.data_dir / "gateway"

    @property
    def mail_folder(self) -> Path:
        """Where messages are written to when no mail server is named."""
        return self.data_dir / "mail"

    @property
    def server(self) -> Server:
        """Where the database is."""
        url = self.database_url
        folder = self.data_dir / FOLDER
        return Server(None if url is None else url.get_secret_value(), folder)
