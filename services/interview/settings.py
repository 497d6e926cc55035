"""The interview server's settings, `VIVA_INTERVIEW_<NAME>`."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Literal

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.runtime.addresses import authority, parse
from services.runtime.key_file import ToldKey
from services.runtime.postgres.url import PostgresUrl
from services.runtime.settings import ServerSettings

MESH = "localhost:7000"


class InterviewServerSettings(ServerSettings):
    """Where the model servers are, how patient the interviewer is, how much is kept."""

    model_config = SettingsConfigDict(env_prefix="VIVA_INTERVIEW_")

    port: int = Field(default=7105, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    asr_address: str = Field(default=MESH, description="Speech recognition, host:port.")
    tts_address: str = Field(default=MESH, description="Speech synthesis, host:port.")
    llm_address: str = Field(default=MESH, description="Text generation, host:port.")
    embed_address: str = Field(default=MESH, description="Embeddings, host:port.")
    account_address: str | None = Field(
        default=None,
        description="Accounts, host:port: how many interviews a user may create is asked there;"
        " without it there are no accounts, and anybody may create as many as they like.",
    )

    min_silence: float = Field(
        default=0.25,
        ge=0.05,
        le=10,
        description="Seconds of silence after which a reply is prepared.",
    )
    max_silence: float = Field(
        default=4.5,
        ge=0.05,
        le=30,
        description="Seconds of silence after which a turn ends whatever was said.",
    )
    judge: Literal["rubric", "llm"] = Field(
        default="rubric",
        description="Who judges answers: the rubric by itself, or the language model on top of it;"
        " worth it for a capable model, not for the packaged one.",
    )
    follow_up_budget: float = Field(
        default=2.0, gt=0, le=30, description="Seconds the model has to write a follow-up."
    )
    patience: float = Field(
        default=0.6,
        ge=0,
        le=30,
        description="Seconds after the end of turn before the bank's follow-up is taken instead.",
    )
    suspicion: float = Field(
        default=2.0,
        gt=0,
        le=30,
        description="Seconds playback stays paused for a sound that brings no words.",
    )

    max_conversations: int = Field(
        default=50,
        ge=1,
        description="Interviews held at the same time; for one more whichever its candidate has"
        " left longest ago is laid aside, or it is refused where all of them are there.",
    )
    max_conversations_per_user: int = Field(
        default=5, ge=1, description="And how many of them may be one user's."
    )
    store: Literal["postgres", "memory"] = Field(
        default="postgres",
        description="Where interviews are kept; memory forgets them with the process.",
    )
    database_url: PostgresUrl | None = Field(
        default=None,
        description="PostgreSQL, postgresql://user:password@host/database; without it the server"
        " that `viva up` runs in the data folder.",
    )
    store_seconds: float = Field(
        default=2.5,
        gt=0,
        le=20,
        description="What any one thing may take in the database; after that it counts as failed."
        " Whoever speaks waits a little longer for what was said to be stored.",
    )
    lease_seconds: float = Field(
        default=10.0,
        ge=1,
        le=300,
        description="An interview whose server is gone without a word is free after this.",
    )
    advertise: str | None = Field(
        default=None,
        description="host:port at which the other interview servers reach this one; without it the"
        " address it listens on.",
    )
    retention_days: float = Field(
        default=365,
        ge=0,
        le=36_500,
        description="Interviews in which nothing has happened for so long are deleted with all that"
        " is kept of them; 0 keeps them for ever.",
    )
    max_interviews: int = Field(
        default=2000, ge=1, description="Interviews kept in memory, where STORE is memory."
    )
    recordings_key: ToldKey | None = Field(
        default=None,
        description="What recordings' keys are encrypted with, 32 bytes in base64; without it a"
        " file in the data folder, made at the first start.",
    )
    recordings_bytes: int = Field(
        default=10 * 1024**3,
        ge=0,
        description="Disk that recordings may take together; 0 records nothing.",
    )
    journal_bytes: int = Field(
        default=8 * 1024 * 1024,
        ge=64 * 1024,
        description="Events kept an interview for clients that come back.",
    )
    absence_seconds: float = Field(
        default=60.0,
        gt=0,
        description="An interview is paused when its candidate has been gone for so long.",
    )
    abandoned_seconds: float = Field(
        default=1800.0,
        gt=0,
        description="And laid aside when gone for so long, to be gone on with at any time.",
    )

    @property
    def reachable(self) -> str:
        """host:port at which the other interview servers reach this one."""
        if self.advertise is not None:
            return self.advertise
        host = self.host
        try:
            everywhere = ip_address(host).is_unspecified
        except ValueError:
            everywhere = False
        if everywhere:
            host = socket.gethostname()
        return authority(host, self.port)

    @field_validator("advertise")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        return None if value is None else authority(*parse(value))

    @model_validator(mode="after")
    def _silences_in_order(self) -> InterviewServerSettings:
        if self.max_silence < self.min_silence:
            raise ValueError(
                "VIVA_INTERVIEW_MAX_SILENCE must not be less than VIVA_INTERVIEW_MIN_SILENCE"
            )
        return self
