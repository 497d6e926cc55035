"""The interview server's settings, `VIVA_INTERVIEW_<NAME>`."""

from __future__ import annotations

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from services.runtime.settings import ServerSettings

MESH = "localhost:7000"


class InterviewServerSettings(ServerSettings):
    """Where the model servers are, how patient the interviewer is, how much is kept."""

    model_config = SettingsConfigDict(
        env_prefix="VIVA_INTERVIEW_", extra="forbid", populate_by_name=True
    )

    port: int = Field(default=7105, ge=0, le=65535, description="gRPC port; 0 takes a free one.")
    asr_address: str = Field(default=MESH, description="Speech recognition, host:port.")
    tts_address: str = Field(default=MESH, description="Speech synthesis, host:port.")
    llm_address: str = Field(default=MESH, description="Text generation, host:port.")
    embed_address: str = Field(default=MESH, description="Embeddings, host:port.")

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
        default=50, ge=1, description="Interviews held at the same time; more are refused."
    )
    max_interviews: int = Field(
        default=2000, ge=1, description="Interviews kept in memory, of all users together."
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
        description="And ended, with a report on what was said, when gone for so long.",
    )

    @model_validator(mode="after")
    def _silences_in_order(self) -> InterviewServerSettings:
        if self.max_silence < self.min_silence:
            raise ValueError(
                "VIVA_INTERVIEW_MAX_SILENCE must not be less than VIVA_INTERVIEW_MIN_SILENCE"
            )
        return self
