"""When the candidate has finished: what the decision does, said in sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.interview.endpointing.deciding import (
    BACK_CHANNEL_SECONDS,
    CEILING_SECONDS,
    OPENER_SECONDS,
    Asked,
    Decision,
    Pause,
    SpeakerPace,
    Verdict,
    ceiling,
    decide,
    moments,
)
from services.interview.endpointing.model import fitted
from services.interview.endpointing.wording import read
from services.interview.record import Category, Patience, Phase

STORY = Asked(
    "Tell me about a project you are proud of.", Phase.QUESTION, Category.BEHAVIORAL, "en"
)
CLOSED = Asked("Have you ever worked with Kubernetes?", Phase.QUESTION, Category.TECHNICAL, "en")
STORY_ZH = Asked("说一个你引以为豪的项目。", Phase.QUESTION, Category.BEHAVIORAL, "zh")
CLOSED_ZH = Asked("你用过Kubernetes吗？", Phase.QUESTION, Category.TECHNICAL, "zh")

TOLD = (
    "Two years ago I worked for a food bank. They planned their routes on paper, and it took one"
    " person the whole of Friday. I wrote a small program that reads the addresses and groups them"
    " by area. Now it takes ten minutes."
)
TOLD_ZH = (
    "两年前我在一个公益组织做志愿者。他们的送货路线都是在纸上排的，每个星期五要花一个人一整天的时间。"
    "我写了一个小程序，把地址按区域分组。现在只要十分钟。"
)


def judged(
    text: str,
    asked: Asked = STORY,
    *,
    silence: float = 0.5,
    sound: float | None = 0.9,
    pace: SpeakerPace | None = None,
    patience: Patience = Patience.NORMAL,
) -> Verdict:
    pause = Pause(silence, sound, text, 0.4 * len(text.split()))
    return decide(pause, asked, pace or SpeakerPace(), patience)


def wait(text: str, asked: Asked = STORY, **given: object) -> float:
    """After how much silence the answer is due, in seconds."""
    silence = 0.0
    while True:
        verdict = judged(text, asked, silence=silence, **given)  # type: ignore[arg-type]
        if verdict.decision is Decision.ANSWER:
            return silence
        assert verdict.look_again is not None
        assert verdict.look_again > silence
        silence = verdict.look_again


@pytest.mark.parametrize(
    "ending", ["because", "and then I", "so I went to the", "for example", "um", "and, uh", "I, I"]
)
def test_an_english_sentence_left_open_waits_longer_than_a_finished_one(ending: str) -> None:
    assert wait(f"{TOLD} {ending}") > 2 * wait(TOLD)
    assert wait(f"{TOLD} {ending}") > 2.0


@pytest.mark.parametrize("ending", ["因为", "然后", "比如说", "但是", "嗯", "我觉得", "就是"])
def test_a_chinese_sentence_left_open_waits_longer_than_a_finished_one(ending: str) -> None:
    assert wait(TOLD_ZH + ending, STORY_ZH) > 2 * wait(TOLD_ZH, STORY_ZH)
    assert wait(TOLD_ZH + ending, STORY_ZH) > 2.0


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Yes, I have.", CLOSED),
        ("No, never.", CLOSED),
        ("用过。", CLOSED_ZH),
        ("没有用过。", CLOSED_ZH),
    ],
)
def test_a_finished_answer_to_a_closed_question_is_answered_quickly(
    text: str, asked: Asked
) -> None:
    assert wait(text, asked) <= 0.9


def test_the_same_words_are_no_answer_to_a_question_that_asks_for_a_story() -> None:
    assert wait("Yes, I have.", STORY) > 2 * wait("Yes, I have.", CLOSED)


@pytest.mark.parametrize(
    ("told", "closing", "asked"),
    [(TOLD, " So, yeah, that's it.", STORY), (TOLD_ZH, "就这些，我说完了。", STORY_ZH)],
)
def test_who_says_that_this_was_all_is_answered_at_once(
    told: str, closing: str, asked: Asked
) -> None:
    assert wait(told + closing, asked) <= 0.6
    assert wait(told + closing, asked) <= wait(told, asked)


@pytest.mark.parametrize(
    "ending",
    [
        "That's it.",
        "That's me.",
        "I'll stop there.",
        "Over to you.",
        "Nothing to add.",
        "So, yeah.",
        "That would be all, thank you.",
        "I hope that answers your question.",
        "I'm done.",
    ],
)
def test_english_endings_end(ending: str) -> None:
    assert read(f"{TOLD} {ending}", "en").closing


@pytest.mark.parametrize(
    "ending",
    [
        "就这样吧。",
        "回答完毕。",
        "我的回答就到这里。",
        "我说完了。",
        "讲完了，谢谢。",
        "谢谢老师。",
        "没有了。",
        "差不多就这些吧。",
        "以上就是我的回答。",
        "就先说到这儿。",
        "我说完啦老师。",
    ],
)
def test_chinese_endings_end(ending: str) -> None:
    assert read(TOLD_ZH + ending, "zh").closing


def test_an_ending_after_a_comma_ends_too() -> None:
    """A recogniser often hears no full stop before it."""
    assert read(f"{TOLD[:-1]}, and that's it.", "en").closing


@pytest.mark.parametrize(
    "sentence",
    [
        "So I said thank you to him.",
        "That's why I called him.",
        "That's about twenty people.",
        "That's my first company.",
        "That's all they wanted to hear.",
        "That's how I met the team lead.",
        "这就是当时的难点。",
        "我对他说谢谢你。",
    ],
)
def test_a_sentence_that_holds_an_endings_words_tells_on(sentence: str) -> None:
    told = TOLD_ZH if sentence[-1] == "。" else f"{TOLD} "
    assert not read(told + sentence, "en").closing


@pytest.mark.parametrize(
    ("announced", "delivered", "asked"),
    [
        (
            "There are two reasons. First of all, I like the product.",
            "There are two reasons. First of all, I like the product. And second, I like the team.",
            Asked("Why do you want to work for us?", Phase.QUESTION, None, "en"),
        ),
        (
            "有两个原因。第一个是产品，我自己用了三年。",
            "有两个原因。第一个是产品，我自己用了三年。第二个是人，你们的工程师很坦率。",
            Asked("你为什么想来我们公司？", Phase.QUESTION, None, "zh"),
        ),
    ],
)
def test_what_was_announced_and_not_delivered_is_waited_for(
    announced: str, delivered: str, asked: Asked
) -> None:
    assert wait(announced, asked) > wait(delivered, asked) + 0.3


def test_what_sounds_unfinished_is_waited_for() -> None:
    assert wait(TOLD, sound=0.05) > wait(TOLD, sound=0.95)


def test_without_a_word_about_the_sound_words_decide() -> None:
    assert wait(f"{TOLD} because", sound=None) > wait(TOLD, sound=None)


def test_without_words_nothing_is_answered_before_the_ceiling() -> None:
    assert wait("") == CEILING_SECONDS


@pytest.mark.parametrize("text", [TOLD, f"{TOLD} and", "I work as a nurse."])
def test_more_patience_waits_longer(text: str) -> None:
    brisk, normal, patient = (wait(text, patience=patience) for patience in Patience)
    assert brisk <= normal <= patient
    assert brisk < patient


@pytest.mark.parametrize("patience", Patience)
def test_no_silence_is_waited_for_beyond_the_ceiling(patience: Patience) -> None:
    verdict = judged("and then, um", silence=ceiling(patience), sound=0.01, patience=patience)
    assert verdict.decision is Decision.ANSWER
    assert verdict.look_again is None


def test_in_the_middle_of_a_thought_a_word_of_patience_comes_before_the_ceiling() -> None:
    text = "So the reason was that, um"
    assert judged(text, silence=2.0, sound=0.05).decision is Decision.WAIT
    verdict = judged(text, silence=3.2, sound=0.05)
    assert verdict.decision is Decision.BACK_CHANNEL
    assert verdict.look_again == CEILING_SECONDS


def test_between_waiting_and_answering_stands_an_opener() -> None:
    sounds = [step / 50 for step in range(1, 50)]
    found = {
        judged(TOLD, CLOSED, silence=silence / 20, sound=sound).decision
        for sound in sounds
        for silence in range(5, 40)
    }
    assert {Decision.WAIT, Decision.OPENER, Decision.ANSWER} <= found


@pytest.mark.parametrize("patience", Patience)
def test_what_is_said_meanwhile_never_puts_the_answer_off(patience: Patience) -> None:
    due = [moments(fitted(), share / 200, SpeakerPace(), patience) for share in range(1, 200)]
    openers = [found for found in due if found.opener is not None]
    words = [found for found in due if found.back_channel is not None]
    assert openers
    assert words
    for found in openers:
        assert found.opener is not None
        assert found.opener + OPENER_SECONDS <= found.answer
    for found in words:
        assert found.back_channel is not None
        assert found.back_channel + BACK_CHANNEL_SECONDS <= found.answer


def test_a_slow_speaker_is_given_more_time() -> None:
    slow, quick = SpeakerPace(), SpeakerPace()
    for _ in range(8):
        slow, quick = slow.observe(1.4), quick.observe(0.3)
    assert wait(TOLD, pace=slow) > wait(TOLD, pace=quick)


def test_a_pace_survives_being_written_down() -> None:
    pace = SpeakerPace().observe(0.8).observe(1.7).observe(0.1)
    assert pace.pauses == 2
    assert SpeakerPace.from_json(pace.to_json()) == pace


@pytest.mark.parametrize("text", ["", "[]", '{"pauses": -1, "logarithms": 0}', '{"pauses": 1}'])
def test_what_is_no_pace_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a speaker's pace"):
        SpeakerPace.from_json(text)


PAUSES = st.builds(
    Pause,
    silence=st.floats(0, 10),
    sound=st.none() | st.floats(0, 1),
    text=st.sampled_from([TOLD, TOLD_ZH, "", "um", "Yes.", f"{TOLD} because", "就这些。", "..."])
    | st.text(max_size=60),
    speech=st.floats(0, 300),
)


@given(
    PAUSES,
    st.sampled_from([STORY, CLOSED, STORY_ZH, CLOSED_ZH]),
    st.lists(st.floats(0.2, 10), max_size=10),
    st.sampled_from(list(Patience)),
    st.floats(0, 10),
)
def test_more_silence_never_takes_an_answer_back(
    pause: Pause, asked: Asked, earlier: list[float], patience: Patience, more: float
) -> None:
    pace = SpeakerPace()
    for seconds in earlier:
        pace = pace.observe(seconds)
    now = decide(pause, asked, pace, patience)
    later = decide(replace(pause, silence=pause.silence + more), asked, pace, patience)
    assert 0 <= now.probability <= later.probability + 1e-9
    assert later.probability <= 1
    if now.decision is Decision.ANSWER:
        assert later.decision is Decision.ANSWER
        assert now.look_again is None
    else:
        assert now.look_again is not None
        assert pause.silence < now.look_again <= ceiling(patience)
    if pause.silence >= ceiling(patience):
        assert now.decision is Decision.ANSWER


@pytest.mark.parametrize(
    "text",
    [
        "I have worked as a backend engineer for five years, mostly on payment systems.",
        "I watch the slow queries and then I add an index to the table.",
    ],
)
def test_a_finished_sentence_may_be_all_there_is_to_say(text: str) -> None:
    assert 1.0 < wait(text) < 2.5


@pytest.mark.parametrize(
    ("complete", "open_"),
    [
        ("It was slower than it was.", "It was slower, and it was"),
        ("Nobody knew who they were.", "Nobody knew that they were"),
        ("I kept it as it is.", "I kept it and it is"),
    ],
)
def test_a_verb_that_ends_a_comparison_leaves_nothing_open(complete: str, open_: str) -> None:
    assert not read(complete, "en").dangling
    assert read(open_, "en").dangling


@pytest.mark.parametrize("text", ["We wrote.", "After five minutes."])
def test_a_full_stop_after_a_word_or_two_is_believed_less(text: str) -> None:
    whole = "We wrote down what we had learned for those who came after us."
    assert wait(f"{TOLD} {text}") > wait(f"{TOLD} {whole}")


@pytest.mark.parametrize(
    ("traditional", "simplified"),
    [
        ("我還沒想好，讓我想一想", "我还没想好，让我想一想"),
        ("兩年前我在一個團隊工作，因為", "两年前我在一个团队工作，因为"),
        ("就這些，我說完了。", "就这些，我说完了。"),
    ],
)
def test_chinese_is_read_alike_in_both_scripts(traditional: str, simplified: str) -> None:
    assert read(traditional, "zh-TW") == read(simplified, "zh-CN")


def test_a_sentence_is_more_often_all_of_an_answer_to_a_follow_up() -> None:
    text = "We counted the support tickets before and after."
    question = Asked(
        "How do you know that it got better?", Phase.QUESTION, Category.TECHNICAL, "en"
    )
    assert wait(text, replace(question, phase=Phase.FOLLOW_UP)) < wait(text, question)


@pytest.mark.parametrize("text", ["That's it.", "I don't know.", "I look at the plan. That's it."])
def test_words_that_end_an_answer_are_believed_however_short_it_is(text: str) -> None:
    assert wait(text) <= 1.1


REFUND = (
    "One night a deploy broke the refunds. I rang the customer and {}. Then I asked her team and"
)


@pytest.mark.parametrize(
    "text",
    [
        REFUND.format("said sorry"),
        "At first I'm not sure the team trusted me, because",
        "I was told that I don't know databases, so I",
        "My manager said I can't say no to anybody, and",
        "I had no idea what the budget was. We sat down with the sales people and",
        "I don't recall the year but the",
    ],
)
def test_a_refusal_on_the_way_does_not_end_an_answer(text: str) -> None:
    assert wait(text) > 3.0


def test_a_refusal_on_the_way_does_not_end_a_chinese_answer() -> None:
    story = Asked("请讲一次你和同事有分歧的经历。", Phase.QUESTION, Category.BEHAVIORAL, "zh-CN")
    assert wait("当时客户很生气，我先跟他说了抱歉，然后我去找我的同事，因为", story) > 3.0
    assert not read("我先跟他说了抱歉。", "zh").declining
    assert read("不好意思，我不知道。", "zh").declining


def test_an_apology_in_a_story_is_no_refusal() -> None:
    assert not read("I called her and said sorry.", "en").declining
    assert read("Sorry.", "en").declining
    assert read("I'm sorry, no idea.", "en").declining
