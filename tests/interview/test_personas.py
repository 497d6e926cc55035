"""Who interviews, with which voice and in which style; and the bank by pages and language."""

from __future__ import annotations

import grpc
import pytest
from viva.interview.v1 import conversation_pb2 as cpb
from viva.interview.v1 import (
    interview_pb2,
    interview_service_pb2,
    persona_service_pb2,
    question_service_pb2,
)

from services.interview.clients.seams import Style
from services.interview.interviewer.personas import load_personas
from services.runtime.channel import outgoing
from services.tts.engines import kokoro
from services.tts.engines.piper import JOE
from tests.interview.calls import Wire, join, joining, until
from tests.interview.stage import PATIENCE
from tests.refusals import fields

ANN = {"user": "ann"}


def test_every_persona_has_a_voice_of_the_default_installation() -> None:
    installed = {JOE.id, *(voice.name for voice in kokoro._PACKAGED)}
    personas = load_personas().all()
    assert len({persona.voices["en"] for persona in personas}) == len(personas) >= 3
    for persona in personas:
        assert set(persona.voices.values()) <= installed
        assert {"en", "zh"} <= persona.names.keys() & persona.descriptions.keys()


async def personas(wire: Wire, language: str | None = None) -> list[persona_service_pb2.Persona]:
    request = persona_service_pb2.ListPersonasRequest(language=language)
    response = await wire.personas.ListPersonas(request, **outgoing(PATIENCE, **ANN))
    return list(response.personas)


async def voices(
    wire: Wire, language: str | None = None
) -> list[persona_service_pb2.InterviewerVoice]:
    request = persona_service_pb2.ListVoicesRequest(language=language)
    response = await wire.personas.ListVoices(request, **outgoing(PATIENCE, **ANN))
    return list(response.voices)


async def test_personas_are_listed_the_default_first(wire: Wire) -> None:
    found = await personas(wire)
    assert [p.id for p in found] == [
        "professional-man",
        "professional-woman",
        "young-mentor",
        "english-tutor",
    ]
    assert [p.is_default for p in found] == [True, False, False, False]
    assert all(p.display_name and p.description and p.voices["en"] for p in found)
    assert await personas(wire, "en-GB") == found
    assert await personas(wire, "fr") == []


async def test_voices_are_those_of_the_synthesiser(wire: Wire) -> None:
    assert [voice.id for voice in await voices(wire)] == ["joe", "jm_kumo"]
    assert [voice.id for voice in await voices(wire, "zh-CN")] == ["jm_kumo"]


async def test_without_a_synthesiser_the_voices_are_unavailable_and_the_personas_are_not(
    wire: Wire,
) -> None:
    wire.synthesiser.broken = True
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await voices(wire)
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "speech synthesis" in (error.value.details() or "")
    assert len(await personas(wire)) == 4
    assert (await wire.create(persona="young-mentor")).settings.persona == "young-mentor"


@pytest.mark.parametrize(
    ("settings", "voice", "style"),
    [
        ({}, "joe", Style.NEUTRAL),
        ({"persona": "young-mentor"}, "jm_kumo", Style.ENCOURAGING),
        ({"persona": "young-mentor", "voice": "joe"}, "joe", Style.ENCOURAGING),
        # Its voice is not installed here.
        ({"persona": "professional-woman"}, None, Style.NEUTRAL),
    ],
)
async def test_a_persona_speaks_with_its_voice_and_in_its_style(
    wire: Wire, settings: dict[str, str], voice: str | None, style: Style
) -> None:
    made = await wire.create(**settings)
    async with wire.converse(joining(made.id)) as call:
        await until(call, lambda e: e.HasField("audio"))
    asked = [
        config
        for text, config in zip(wire.synthesiser.texts, wire.synthesiser.configs, strict=True)
        if text.startswith("Let's begin")
    ]
    assert [(config.voice, config.style) for config in asked] == [(voice, style)]


async def test_an_unknown_persona_is_refused(wire: Wire) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.create(persona="nobody")
    assert fields(error.value) == ["settings.persona"]
    assert "young-mentor" in (error.value.details() or "")


async def search(
    wire: Wire, **conditions: object
) -> tuple[list[question_service_pb2.FoundQuestion], str]:
    request = question_service_pb2.SearchQuestionsRequest(**conditions)  # type: ignore[arg-type]
    response = await wire.questions.SearchQuestions(request, **outgoing(PATIENCE, **ANN))
    return list(response.results), response.next_page_token


@pytest.mark.parametrize("query", [None, "deadlock"])
async def test_the_bank_is_read_by_pages(wire: Wire, query: str | None) -> None:
    whole, token = await search(wire, query=query, tags=["databases"], page_size=100)
    assert token == ""
    assert len(whole) > 4
    paged: list[question_service_pb2.FoundQuestion] = []
    following: str | None = None
    while following != "":
        page, following = await search(
            wire, query=query, tags=["databases"], page_size=3, page_token=following
        )
        assert len(page) <= 3
        paged += page
    assert paged == whole
    assert all(found.HasField("score") is (query is not None) for found in whole)


async def test_a_page_token_of_another_search_is_refused(wire: Wire) -> None:
    _, token = await search(wire, query="deadlock", page_size=1)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await search(wire, query="teamwork", page_size=1, page_token=token)
    assert fields(error.value) == ["page_token"]


async def test_the_bank_is_searched_by_language(wire: Wire) -> None:
    everything, _ = await search(wire, page_size=100)
    for language in ("en", "en-US"):
        assert (await search(wire, page_size=100, language=language))[0] == everything
    assert await search(wire, language="fr") == ([], "")


async def test_patience_is_set_and_a_turn_held_over_the_wire(wire: Wire) -> None:
    made = await wire.create()
    ann = outgoing(PATIENCE, **ANN)
    async with wire.converse(joining(made.id)) as call:
        await until(call, lambda e: e.HasField("audio"))
        for message in (
            cpb.CandidateMessage(
                set_patience=cpb.SetPatience(patience=interview_pb2.PATIENCE_PATIENT)
            ),
            cpb.CandidateMessage(hold_turn=cpb.HoldTurn()),
            cpb.CandidateMessage(finish_turn=cpb.FinishTurn()),
        ):
            request = interview_service_pb2.ConverseRequest(candidate=message)
            await call.write(request)
        held = await until(call, lambda e: e.HasField("turn_held"))
        assert held[-1].turn_held.until.seconds >= 30
        over = await until(call, lambda e: e.HasField("turn_held"))
        assert not over[-1].turn_held.HasField("until")
    assert (await wire.get(made.id)).settings.patience == interview_pb2.PATIENCE_PATIENT
    speak = interview_service_pb2.SpeakRequest(
        interview_id=made.id,
        call=1,
        messages=[cpb.CandidateMessage(set_patience=cpb.SetPatience())],
    )
    listening = wire.interviews.Listen(
        interview_service_pb2.ListenRequest(join=join(made.id, typed=True)), **ann
    )
    await listening.read()
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.interviews.Speak(speak, **ann)
    listening.cancel()
    assert fields(error.value) == ["messages[0].set_patience.patience"]
