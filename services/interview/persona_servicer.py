"""`viva.interview.v1.PersonaService` on the wire."""

from __future__ import annotations

from typing import Any

import grpc
from viva.interview.v1 import interview_pb2, persona_service_pb2_grpc
from viva.interview.v1 import persona_service_pb2 as pb

from services.interview.clients.seams import DependencyFailed, Synthesiser
from services.interview.interviewer.personas import ENGLISH, Personas, primary
from services.interview.record import DEFAULT_PERSONA
from services.runtime.errors import Unavailable

_Context = grpc.aio.ServicerContext[Any, Any]


class PersonaServicer(persona_service_pb2_grpc.PersonaServiceServicer):
    """Tells who can interview."""

    def __init__(self, personas: Personas, synthesiser: Synthesiser) -> None:
        self._personas = personas
        self._synthesiser = synthesiser

    async def ListPersonas(
        self, request: pb.ListPersonasRequest, context: _Context
    ) -> pb.ListPersonasResponse:
        """The interviewers to choose from."""
        asked = request.language if request.HasField("language") else None
        language = asked or ENGLISH
        return pb.ListPersonasResponse(
            personas=[
                pb.Persona(
                    id=persona.id,
                    display_name=persona.name(language),
                    description=persona.description(language),
                    languages=persona.languages,
                    voices=persona.voices,
                    is_default=persona.id == DEFAULT_PERSONA,
                    mode=interview_pb2.Mode.ValueType(persona.mode),
                )
                for persona in self._personas.all(asked)
            ]
        )

    async def ListVoices(
        self, request: pb.ListVoicesRequest, context: _Context
    ) -> pb.ListVoicesResponse:
        """The voices an interviewer can have.

        Raises:
            Unavailable: Speech synthesis is away.
        """
        try:
            voices = await self._synthesiser.voices()
        except DependencyFailed as failure:
            raise Unavailable(
                "the voices are not known at the moment: speech synthesis does not answer; without"
                " one an interview is held in text, or in the persona's voice once it is back"
            ) from failure
        wanted = primary(request.language) if request.HasField("language") else None
        return pb.ListVoicesResponse(
            voices=[
                pb.InterviewerVoice(
                    id=voice.id,
                    display_name=voice.display_name,
                    description=voice.description,
                    languages=voice.languages,
                    is_default=voice.is_default,
                )
                for voice in voices
                if wanted is None or wanted in map(primary, voice.languages)
            ]
        )
