"""An interview in Chinese: who may have one, what is said in it, and its report."""

from __future__ import annotations

import re
from pathlib import Path

import grpc
import numpy as np
import pytest
from viva.interview.v1 import interview_service_pb2 as pb

from services.interview.clients.seams import VoiceInfo
from services.interview.conversation.degrading import advice, returned
from services.interview.events import (
    CandidateTurn,
    InterviewerText,
    ReportReady,
    ServiceDegraded,
)
from services.interview.interviewer.analysing import analyse
from services.interview.interviewer.personas import load_personas
from services.interview.interviewer.statements import joined
from services.interview.interviewer.words import is_chinese
from services.interview.languages import held_in
from services.interview.questions.bank import Question, load_bank
from services.interview.questions.index import QuestionIndex
from services.interview.record import Phase, Speaker, SpokenWord, Turn
from services.interview.reports.delivery import measure
from services.interview.reports.passages import passages, quote
from services.interview.reports.sound import Sound
from services.runtime.channel import outgoing
from services.tts.engines.kokoro import _MANDARIN_TAG, _PACKAGED
from tests.interview.calls import Wire, join, joining, typed, until
from tests.interview.stage import PATIENCE, FakeEmbedder, stage
from tests.refusals import fields

BANK = load_bank()
ANN = {"user": "ann"}
ANSWER = (
    "我会先看执行计划，再检查数据量和统计信息有没有变化，去年有一次就是缺少索引引起了全表扫描。"
)
AGAIN = "我们加了索引以后重新测量，查询从三秒降到了二十毫秒，每次修改我都会再量一次。"


@pytest.mark.parametrize("tag", ["zh", "zh-CN", "zh-Hans-CN", "zh-hans", "en", "en-GB"])
def test_interviews_are_held_in(tag: str) -> None:
    assert held_in(tag)


@pytest.mark.parametrize("tag", ["zh-TW", "zh-Hant", "zh-HK", "fr", "zhx", ""])
def test_interviews_are_not_held_in(tag: str) -> None:
    assert not held_in(tag)


def test_every_interviewer_speaks_chinese_with_a_voice_that_is_understood() -> None:
    understood = {voice.name for voice in _PACKAGED if _MANDARIN_TAG in voice.languages}
    for persona in load_personas().all("zh"):
        assert persona.voices["zh"] in understood


def _question(question_id: str) -> Question:
    found = BANK.find(question_id)
    assert found is not None
    return found


def hummed(start: float, length: float, zero: float, seconds: float) -> Sound:
    """A recording from `zero` on that is silent but for a hum."""
    rate = 16_000
    samples = np.zeros(int(seconds * rate), np.float32)
    times = np.arange(int(length * rate)) / rate
    at = int((start - zero) * rate)
    samples[at : at + len(times)] = 0.3 * np.sin(2 * np.pi * 140 * times)
    return Sound(samples, rate, zero)


async def test_a_spoken_interview_is_chinese_from_the_greeting_to_the_report() -> None:
    found = [BANK.find("zh-tech-slow-query"), BANK.find("zh-tech-index")]
    questions = [question for question in found if question is not None]
    async with stage(language="zh-CN", questions=questions) as s:
        s.model.pieces = ("怎么", "发现", "缺少", "索引", "的？")
        s.join()
        await s.to_first_question()
        assert (await s.stream()).config.language == "zh-CN"
        for number, text in enumerate([ANSWER, AGAIN, ANSWER, AGAIN]):
            await s.answer(text)
            follows = (Phase.FOLLOW_UP, Phase.QUESTION, Phase.FOLLOW_UP, Phase.CLOSING)
            await s.play_out(follows[number])
        report = (await s.until(ReportReady)).report
        lines = [e.event.text for e in s.seen if isinstance(e.event, InterviewerText)]
        turns = [e.event.turn for e in s.seen if isinstance(e.event, CandidateTurn)]
        assert {config.language for config in s.synthesiser.configs} == {"zh-CN"}
        assert lines
        assert all(is_chinese(line) for line in lines), lines
        assert [turn.text for turn in turns] == [ANSWER, AGAIN, ANSWER, AGAIN]
        # A slow query is looked into as the answer tells; an index is something else.
        slow, index = report.questions
        assert sum(point.covered for point in slow.key_points) >= 3
        assert sum(point.covered for point in index.key_points) < 3
        told = (report.summary, *report.strengths, *report.weaknesses, *report.suggestions)
        assert all(is_chinese(text) for text in told), told


@pytest.mark.parametrize("service", ["asr", "tts", "llm", "embed", "store"])
def test_what_fails_is_told_in_chinese_and_so_is_its_return(service: str) -> None:
    for message in (advice(service, "zh-CN"), returned(service, "zh-CN")):
        assert is_chinese(message)
        assert not re.search(r"[A-Za-z]", message)
    assert advice(service, "en-GB").isascii()


async def test_a_chinese_interview_whose_voice_is_gone_says_so_in_chinese() -> None:
    async with stage(language="zh", questions=[_question("zh-tech-index")]) as s:
        s.synthesiser.broken = True
        s.join()
        degraded = await s.until(ServiceDegraded)
        assert is_chinese(degraded.message)


async def test_pauses_and_hesitations_are_quoted_in_chinese() -> None:
    text = "我先看执行计划然后再看索引"
    words = [SpokenWord(c, 10 + n / 4, 10.25 + n / 4) for n, c in enumerate(text)]
    late = [SpokenWord(w.text, w.start + 3, w.end + 3) for w in words[6:]]
    turn = Turn("t", Speaker.CANDIDATE, text, 10.0, 17.0, (*words[:6], *late), round=1)
    hum = hummed(words[5].end + 0.4, 0.5, 10.0, 7.0)
    for sounds, expected in ([], "（停顿）"), ([hum], "（嗯）"):
        result, _ = await analyse(
            FakeEmbedder(),
            round_number=1,
            question=_question("zh-tech-index"),
            asked="？",
            turns=[turn],
            sounds=sounds,
        )
        quotes = [evidence.quote for each in result.dimensions for evidence in each.evidence]
        assert expected in quotes
        assert not [quote for quote in quotes if re.search(r"[A-Za-z]", quote)]


async def test_words_alone_never_tell_for_certain_what_was_not_said() -> None:
    embedder = FakeEmbedder()
    embedder.model = "all-minilm"
    turn = Turn("t", Speaker.CANDIDATE, "我约他喝咖啡，先听他说。", 0.0, 1.0, typed=True)
    found = _question("zh-beh-conflict")
    result, _ = await analyse(
        embedder, round_number=1, question=found, asked=found.text, turns=[turn]
    )
    assert not any(point.certain for point in result.key_points)


def test_sentences_of_a_line_and_of_a_summary_have_no_spaces_between_them() -> None:
    assert joined("zh-CN", "明白了。", "最后一个问题：") == "明白了。最后一个问题："
    assert joined("en", "I see.", "Next question:") == "I see. Next question:"


def test_digits_are_quoted_without_spaces() -> None:
    words = [SpokenWord(text, 0.0, 1.0) for text in ("从", "3", "秒", "到", "20", "毫秒")]
    assert quote(words) == "从3秒到20毫秒"


def test_neighbouring_sentences_are_quoted_without_a_space() -> None:
    turn = Turn("t", Speaker.CANDIDATE, "我先看执行计划。我再看索引。", 0.0, 1.0, typed=True)
    assert "我先看执行计划。我再看索引。" in [each.quote for each in passages([turn])]


def test_hesitations_are_found_in_chinese_characters() -> None:
    def fillers(text: str) -> list[str]:
        words = tuple(SpokenWord(c, n / 4, n / 4 + 0.2) for n, c in enumerate(text))
        delivery = measure([words])
        assert delivery is not None
        return [filler.text for filler in delivery.fillers]

    assert fillers("嗯我觉得这个方案可以") == ["嗯"]
    assert fillers("然后那个那个我们就上线了") == ["那个那个"]
    assert fillers("就是就是我们的系统很慢") == ["就是就是"]
    assert fillers("这就是我那个时候的想法") == []


async def test_a_typed_interview_in_chinese_is_reported_in_chinese(wire: Wire) -> None:
    made = await wire.create(rounds=1, follow_ups=0, language="zh", topics=["数据库"])
    assert made.settings.language == "zh"
    listening = wire.interviews.Listen(
        pb.ListenRequest(join=join(made.id, typed=True)), **outgoing(PATIENCE, **ANN)
    )
    async for response in listening:
        ended = response.event.utterance_ended
        if ended.turn.question_id:
            assert ended.turn.question_id.startswith("zh-")
            request = pb.SpeakRequest(interview_id=made.id, call=1, messages=[typed(ANSWER)])
            await wire.interviews.Speak(request, **outgoing(PATIENCE, **ANN))
        if response.event.HasField("report_ready"):
            break
    listening.cancel()
    got = await wire.interviews.GetReport(
        pb.GetReportRequest(interview_id=made.id), **outgoing(PATIENCE, **ANN)
    )
    assert is_chinese(got.report.summary)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"language": "zh-TW"}, "settings.language"),
        ({"language": "zh", "voice": "joe"}, "settings.voice"),
        ({"language": "zh", "voice": "nobody"}, "settings.voice"),
    ],
)
async def test_what_cannot_be_held_in_chinese_is_named(
    wire: Wire, settings: dict[str, str], field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.create(**settings)
    assert fields(error.value) == [field]


async def test_without_a_chinese_voice_no_interview_is_held_in_chinese(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def voices() -> list[VoiceInfo]:
        return [VoiceInfo("joe", languages=("en-US",))]

    monkeypatch.setattr(wire.synthesiser, "voices", voices)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.create(language="zh")
    assert fields(error.value) == ["settings.language"]
    assert (await wire.create(language="en")).settings.language == "en"


@pytest.mark.parametrize(
    ("settings", "voice"),
    [({}, None), ({"persona": "young-mentor"}, "jm_kumo"), ({"voice": "jm_kumo"}, "jm_kumo")],
)
async def test_a_voice_that_speaks_chinese_is_cast(
    wire: Wire, settings: dict[str, str], voice: str | None
) -> None:
    # The default persona's own is not installed here: the synthesiser chooses.
    made = await wire.create(language="zh-CN", **settings)
    async with wire.converse(joining(made.id)) as call:
        await until(call, lambda e: e.HasField("audio"))
    assert {config.voice for config in wire.synthesiser.configs} == {voice}


@pytest.mark.parametrize(("model", "asked"), [("all-minilm", 0), ("bge-m3", 1)])
async def test_chinese_questions_are_found_by_words_unless_the_model_reads_chinese(
    tmp_path: Path, model: str, asked: int
) -> None:
    embedder = FakeEmbedder()
    embedder.model = model
    index = QuestionIndex(BANK, embedder, tmp_path)
    await index.build()
    embedder.calls.clear()
    found = await index.search("死锁是怎么产生的", lambda q: q.language == "zh", 1)
    assert found[0].question.id == "zh-prog-deadlock"
    assert len(embedder.calls) == asked
