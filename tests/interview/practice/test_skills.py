"""Fluency, grammar and vocabulary of what a learner said, and the report made of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.interview.interviewer.comparing import compare_reports
from services.interview.practice.reporting import compose
from services.interview.practice.skills import Skill, practised
from services.interview.practice.vocabulary import vocabulary
from services.interview.questions.bank import load_bank
from services.interview.record import Interview, InterviewSettings, Mode, Speaker, SpokenWord, Turn
from services.interview.reports.report import DimensionScore, QuestionResult, Report
from services.interview.wire.reports import report as wire
from tests.interview.stage import spoken

FOUND = load_bank().find("talk-last-weekend")
assert FOUND is not None
TOPIC = FOUND

WELL = (
    "On Saturday I got up late and met two old colleagues at the market near the river. We bought"
    " fresh fish, carried everything home and cooked lunch together, which took us almost three"
    " hours. In the evening my neighbour dropped in with her guitar. On Sunday I cycled through the"
    " forest, read a novel under a tree and fell asleep before I reached the second chapter."
)
POORLY = (
    "Yesterday I go to the park with my friend. He don't like the park. The park was very good and"
    " very big and very nice and the weather was very good. My friend he have a dog. I am agree"
    " that dog is nice. We was happy and the dog was happy. I very like the dog and the park."
)


def said(text: str, start: float = 5.0, name: str = "t1") -> Turn:
    """At 130 words a minute."""
    words = tuple(
        SpokenWord(w.text, start + 1.5 * (w.start - start), start + 1.5 * (w.end - start))
        for w in spoken(text, start)
    )
    return Turn(name, Speaker.CANDIDATE, text, start, words[-1].end, words, round=1)


def result(*turns: Turn) -> QuestionResult:
    return practised(1, TOPIC, TOPIC.text, turns)


def scores(found: QuestionResult) -> dict[str, float]:
    return {each.name: each.score for each in found.dimensions}


def of(found: QuestionResult, skill: Skill) -> DimensionScore:
    return next(each for each in found.dimensions if each.name == skill)


def interview(*turns: Turn) -> Interview:
    settings = InterviewSettings(rounds=1, mode=Mode.SPEAKING_PRACTICE)
    return Interview("i", "u", settings, (TOPIC.id,), datetime.now(UTC), turns=turns)


def test_who_speaks_better_scores_better_in_every_skill() -> None:
    well, poorly = scores(result(said(WELL))), scores(result(said(POORLY)))
    assert well.keys() == poorly.keys() == set(Skill)
    for skill in (Skill.GRAMMAR, Skill.VOCABULARY):
        assert well[skill] >= poorly[skill] + 30, skill
    assert well[Skill.GRAMMAR] >= 90


def test_every_skill_cites_stretches_of_speech() -> None:
    turn = said(POORLY)
    for dimension in result(turn).dimensions:
        assert dimension.evidence
        assert dimension.level == round(dimension.score / 25) + 1
        for evidence in dimension.evidence:
            assert turn.start <= evidence.start < evidence.end <= turn.end
            assert evidence.turn_id == turn.id


def test_halts_are_heard_in_fluency() -> None:
    smooth = said(WELL)
    words = list(smooth.words)
    late = tuple(SpokenWord(w.text, w.start + 4, w.end + 4) for w in words[20:])
    halting = replace(smooth, words=(*words[:20], words[19], *late), end=smooth.end + 4)
    before, after = of(result(smooth), Skill.FLUENCY), of(result(halting), Skill.FLUENCY)
    assert after.score < before.score
    assert "1 long pause" in after.rationale
    assert "1 word said twice" in after.rationale
    assert {evidence.quote for evidence in after.evidence} >= {"(pause)"}


def test_what_is_typed_has_no_fluency() -> None:
    typed = Turn("t", Speaker.CANDIDATE, WELL, 1.0, 2.0, typed=True)
    assert set(scores(result(typed))) == {Skill.GRAMMAR, Skill.VOCABULARY}
    assert result(typed).delivery is None


def test_few_words_show_little() -> None:
    assert max(scores(result(said("It was fine, thank you."))).values()) <= 100
    assert scores(result(said("It was fine, thank you.")))[Skill.GRAMMAR] <= 25


def test_another_language_is_no_practice() -> None:
    turn = Turn("t", Speaker.CANDIDATE, "上个周末我和朋友去了公园，玩得很开心。", 1.0, 5.0)
    found = result(turn)
    assert set(scores(found).values()) == {0.0}
    assert found.spoken_in == "zh"
    assert "Chinese" in found.dimensions[0].rationale


def test_plain_words_that_come_often_are_named_with_others() -> None:
    turn = said(POORLY)
    choices = {choice.said: choice for choice in vocabulary([turn]).choices}
    assert choices["very good"].better == "excellent"
    assert len(choices["very"].evidence) == 3
    assert all(place.quote == "very" for place in choices["very"].evidence)
    assert "dog" not in choices


def test_like_is_a_plain_verb_only() -> None:
    compared = "It looks like rain, sounds like thunder, feels like winter and smells like snow."
    assert vocabulary([said(compared)]).choices == ()
    liked = vocabulary([said("I like tea. I like milk. We like cake.")]).choices
    assert [choice.said for choice in liked] == ["like"]


def test_the_report_corrects_and_praises() -> None:
    turn = said(POORLY)
    report = compose(interview(turn), [result(turn)])
    assert "“He don't”" in report.weaknesses[1]
    assert "“He doesn't”" in report.weaknesses[1]
    assert any("very good" in told and "excellent" in told for told in report.suggestions)
    assert not report.questions[0].key_points
    corrected = wire(report).questions[0].corrections
    assert [each.said for each in corrected][:2] == ["Yesterday I go", "He don't"]
    assert corrected[0].evidence.start.ToTimedelta().total_seconds() >= turn.start
    praised = compose(interview(said(WELL)), [result(said(WELL))])
    assert any("grammar" in told for told in praised.strengths)
    assert not praised.weaknesses


def test_a_strong_word_is_offered_only_where_it_means_the_same() -> None:
    for left in (
        "I'm not very good at it. My grandfather is very old.",
        "I don't think that it was very big.",
    ):
        assert vocabulary([said(left)]).choices == ()
    offered = vocabulary([said("It was not cheap. It was very good. No, really, very good!")])
    assert [(each.said, len(each.evidence)) for each in offered.choices] == [("very good", 2)]


def test_get_is_a_plain_word_only_with_what_one_gets() -> None:
    risen = "I get up early, get ready, get to work and get on with it until I get home."
    assert vocabulary([said(risen)]).choices == ()
    got = vocabulary([said("I get a letter. I get the paper. I get some bread.")]).choices
    assert [choice.said for choice in got] == ["get"]


@pytest.mark.parametrize(
    ("text", "told"), [("Yes.", "1 word is"), ("My hobby is reading books at home.", "7 words are")]
)
def test_what_is_too_short_to_judge_is_told_so(text: str, told: str) -> None:
    turn = said(text)
    report = compose(interview(turn), [result(turn)])
    assert report.suggestions == (f"Say more on topic 1: {told} too few to judge by.",)
    assert "best side" not in report.summary
    assert not report.weaknesses
    assert "show little" in of(result(turn), Skill.GRAMMAR).rationale


def test_corrected_sentences_are_said_again_only_where_there_are_some() -> None:
    assert not any("corrected" in told for told in praised(WELL).suggestions)
    assert any("corrected" in told for told in praised(POORLY).suggestions)
    assert any("corrected" in told for told in praised("He go home.").suggestions)


def praised(text: str) -> Report:
    turn = said(text)
    return compose(interview(turn), [result(turn)])


CHINESE = "上个周末我和朋友去了公园，玩得很开心，我们还一起吃了晚饭。i is"


def test_a_report_of_another_language_tells_which_and_nothing_of_english() -> None:
    report = praised(CHINESE)
    assert report.questions[0].corrections == ()
    assert "Chinese" in report.summary
    assert "side" not in report.summary
    assert report.weaknesses == ("Topic 1: you spoke Chinese, not English.",)
    assert report.suggestions == ("Speak English on every topic.",)


SPANISH = (
    "Me gusta mucho cocinar los fines de semana. Aprendí de mi abuela cuando tenía diez años, y hoy"
    " preparo platos tradicionales para toda mi familia. El mes pasado hice una paella enorme para"
    " veinte personas, y todos quedaron encantados con el resultado."
)
KEYS = "as qwer zxcv uiop hjkl bnm poiu lkjh mnbv re fdsa vc tyui ghjk qaz wsx edc rfv tgb y"


@pytest.mark.parametrize("text", [SPANISH, KEYS])
def test_what_is_not_english_is_not_judged(text: str) -> None:
    report = praised(text)
    assert report.overall_score == 0
    assert report.strengths == ()
    assert "English" in report.summary
    assert "side" not in report.summary
    assert report.suggestions == ("Speak English on every topic.",)


LISTED = (
    "Hobby? My hobby basketball, football, swimming, computer game, sleep, music, food. Also my"
    " cat, very cute cat. Weekend I play game with friend."
)


BARE = "last summer I visit village grandmother we pick apple make jam sit garden talk old time"


@pytest.mark.parametrize("text", [LISTED, POORLY, BARE])
def test_poor_english_is_english(text: str) -> None:
    assert praised(text).questions[0].spoken_in == ""


def test_a_topic_in_another_language_hides_no_other() -> None:
    turns = said(POORLY), said(CHINESE, 99.0, "t2")
    results = [practised(n, TOPIC, TOPIC.text, [turn]) for n, turn in enumerate(turns, 1)]
    report = compose(interview(*turns), results)
    assert "On 1 topic you spoke Chinese" in report.summary
    assert len(report.weaknesses) > 1
    assert any("corrected" in told for told in report.suggestions)


@pytest.mark.parametrize(
    "other", ["上个星期六我去了公园，天气很好，我和朋友一起散步。", "I like it."]
)
def test_what_cannot_be_judged_is_neither_praised_nor_a_side(other: str) -> None:
    turns = [replace(said(text, 5 + 200 * n), id=f"t{n}") for n, text in enumerate((WELL, other))]
    results = [practised(n, TOPIC, TOPIC.text, [turn]) for n, turn in enumerate(turns, 1)]
    alone = compose(interview(turns[0]), results[:1])
    both = compose(interview(*turns), results)
    assert both.strengths == alone.strengths
    assert not any("nothing to judge" in told for told in both.strengths)
    assert "most to gain" not in both.summary
    assert both.summary.endswith(alone.summary.partition("Your best side")[2])


def test_of_countless_mistakes_a_hundred_are_kept_and_all_are_counted() -> None:
    turn = Turn("t", Speaker.CANDIDATE, "so i is " * 1000, 1.0, 2.0, typed=True)
    found = result(turn)
    assert len(found.corrections) == 100
    assert "1000 mistakes" in of(found, Skill.GRAMMAR).rationale
    report = compose(interview(turn), [found])
    assert "At least 100 phrases" in report.summary
    assert len(report.weaknesses) == 1


def test_a_report_of_nothing_scores_nothing() -> None:
    report = compose(interview(), [])
    assert report.overall_score is None
    assert "none of the 1 topics" in report.summary


@pytest.mark.parametrize("later", [WELL, POORLY])
def test_practice_is_compared_with_practice_alone(later: str) -> None:
    before = compose(interview(said(POORLY)), [result(said(POORLY))])
    now = compose(interview(said(later)), [result(said(later))])
    progress = compare_reports(before, now, "en")
    assert progress is not None
    assert {change.name for change in progress.changes} == {"", *Skill}
    job = replace(before, dimensions=(DimensionScore("content", 50.0, "…"),))
    assert compare_reports(job, now, "en") is None
