"""Whose craft a position is of, and what is asked where it is not the bank's."""

from __future__ import annotations

from pathlib import Path

import pytest
from viva.interview.v1.interview_service_pb2 import ConverseRequest

from services.interview.authored import read_authored
from services.interview.events import ReportReady
from services.interview.interviewer import lines
from services.interview.questions.bank import load_bank
from services.interview.questions.crafts import CRAFTS, Craft, load_crafts
from services.interview.questions.index import QuestionIndex
from services.interview.questions.planning import craft_asked, harder_or_easier, plan
from services.interview.record import Category, Difficulty, InterviewSettings, Mode, Phase
from tests.interview.calls import Wire, join, typed, until
from tests.interview.stage import FakeEmbedder, stage

BANK = load_bank()
KNOWN = load_crafts()
NAMES = {
    side: [name.strip() for names in languages.values() for name in names.split(",")]
    for side, languages in read_authored(CRAFTS).items()
}
HELD_OUT = [
    read_authored(Path(__file__).parent / name)
    for name in ("titles_held_out.yaml", "titles_held_out_later.yaml")
]
NURSE = InterviewSettings(rounds=10, job_title="Nurse", own_trade=True)


def _held_out(language: str) -> dict[str, list[str]]:
    """By kind, the titles that are not among the names that the words were learned from."""
    learned = {name.lower() for names in NAMES.values() for name in names}
    found: dict[str, list[str]] = {}
    for held_out in HELD_OUT:
        for kind, titles in held_out[language].items():
            found.setdefault(kind, []).extend(t for t in titles if t.lower() not in learned)
    return found


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nobody_of_the_banks_craft_is_taken_for_another(language: str) -> None:
    kinds = [titles for each in HELD_OUT for titles in each[language].items()]
    titles = [title for kind, of_it in kinds if kind != "outside" for title in of_it]
    assert len(titles) >= 170
    assert [title for title in titles if KNOWN.of(title) is Craft.ANOTHER] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_titles_that_nothing_was_learned_from_are_told_apart(language: str) -> None:
    titles = _held_out(language)
    assert sum(map(len, titles.values())) >= 270
    # Who has a title that is unsure is asked about both.
    for kind, craft, least in (("inside", Craft.OURS, 0.85), ("outside", Craft.ANOTHER, 0.95)):
        right = sum(KNOWN.of(title) is craft for title in titles[kind])
        assert right / len(titles[kind]) >= least, kind


@pytest.mark.parametrize(
    "title",
    ["Nurse", "head chef", "Lawyers", "Children's Nurse", "小学教师", "焊工", "護士", "會計師"],
)
def test_other_crafts_are_known_by_a_word(title: str) -> None:
    assert KNOWN.of(title) is Craft.ANOTHER


@pytest.mark.parametrize(
    "title", ["SRE", "DBA", "QA", "ML", ".NET", "C++", "后端", "Ops & DBA", "Nursing app developer"]
)
def test_one_word_of_the_banks_craft_settles_a_title(title: str) -> None:
    assert KNOWN.of(title) is Craft.OURS


@pytest.mark.parametrize(
    "title",
    [
        *("Mobile nurse", "Medical device sales representative", "Data entry clerk"),
        *("Restaurant server", "Server / bartender", "Real estate developer", "Vet tech"),
        *("QA inspector (food)", "IT recruiter", "Go-to-market manager", "Deep sea diver"),
        *("网络主播", "移动护士", "压力容器焊工", "苹果种植", "软件销售", "养殖技术员"),
        *("房地产开发经理", "食品研发工程师", "数控编程"),
    ],
)
def test_the_noun_tells_and_not_what_describes_it(title: str) -> None:
    assert KNOWN.of(title) is Craft.ANOTHER


@pytest.mark.parametrize(
    "title",
    [
        *("Smart contract auditor", "Coding bootcamp teacher", "Python tutor", "少儿编程老师"),
        *("Nurse - Java developer", "Head of IT", "Director of data, insurance", "游戏服务器开发"),
        *("Healthcare - Data Engineer", "Real estate platform developer", "医疗-后端开发"),
    ],
)
def test_the_banks_craft_is_not_lost_beside_the_words_of_others(title: str) -> None:
    assert KNOWN.of(title) is Craft.OURS


@pytest.mark.parametrize(
    "title",
    [
        "Manager",
        "Intern",
        "Product Manager",
        "Consultant",
        "实习生",
        "应届毕业生",
        "产品经理",
        # Of what no word is known, in whatever language.
        *("Zwirner", "Krankengymnastin", "Dachdecker", "boulanger", "albañil", "пожарный"),
        *("ソムリエ", "미용사", "ช่างไม้", "أستاذ", "Chimney sweep"),
    ],
)
def test_what_every_craft_has_leaves_it_open(title: str) -> None:
    assert KNOWN.of(title) is Craft.UNSURE


@pytest.mark.parametrize(
    "title",
    [
        *("Computing lecturer", "IT instructor", "Agile coach", "Teacher of ICT", "计算机教授"),
        *("软件培训师", "Enterprise data warehouse owner", "Master data steward", "数据仓库主管"),
        *("Puppet administrator", "ERP consultant retail", "IT manager hotel"),
    ],
)
def test_who_teaches_or_brings_the_banks_craft_elsewhere_is_of_it(title: str) -> None:
    assert KNOWN.of(title) is Craft.OURS


@pytest.mark.parametrize(
    "title",
    [
        *("Maths teacher", "Swimming teacher", "Football coach", "钢琴教师", "体育教练", "Teacher"),
        *("Warehouse specialist", "仓库专员", "Wine steward", "Chef de partie"),
        *("Consultant surgeon", "Manager nursing home", "Specialist nurse", "IT recruiter"),
    ],
)
def test_who_teaches_or_manages_another_craft_is_of_that(title: str) -> None:
    assert KNOWN.of(title) is Craft.ANOTHER


def test_an_engineer_is_of_another_craft_only_by_the_whole_name() -> None:
    assert KNOWN.of("Logistics coordinator") is Craft.ANOTHER
    assert KNOWN.of("Engineer, Logistics") is Craft.OURS
    assert KNOWN.of("Quality engineer") is Craft.OURS
    assert KNOWN.of("Senior civil engineer") is Craft.ANOTHER
    assert KNOWN.of("高级土木工程师") is Craft.ANOTHER
    # No pair of characters reaches over what every craft has: 化工 is chemical industry.
    assert KNOWN.of("标准化工程师") is Craft.OURS
    assert KNOWN.of("Architect") is Craft.UNSURE
    assert KNOWN.of("Landscape architect") is Craft.ANOTHER


def test_a_name_is_of_one_side() -> None:
    every = [name for names in NAMES.values() for name in names]
    assert len(every) == len(set(every))
    ours = [*NAMES["settling"], *NAMES["inside"]]
    assert [name for name in ours if KNOWN.of(name) is not Craft.OURS] == []
    assert [name for name in NAMES["outside"] if KNOWN.of(name) is Craft.OURS] == []


@pytest.mark.parametrize(
    "settings",
    [
        InterviewSettings(),
        InterviewSettings(job_title="SRE"),
        InterviewSettings(job_title="Nurse", categories=(Category.TECHNICAL,)),
        InterviewSettings(job_title="Nurse", topics=("databases",)),
        InterviewSettings(job_title="Nurse", question_ids=("tech-data-index",)),
        InterviewSettings(job_title="Nurse", mode=Mode.SPEAKING_PRACTICE),
    ],
)
def test_what_is_asked_for_is_obeyed_whatever_the_position(settings: InterviewSettings) -> None:
    assert craft_asked(settings, KNOWN) is Craft.OURS


async def test_another_craft_is_asked_about_itself_and_nothing_technical(tmp_path: Path) -> None:
    index = QuestionIndex(BANK, FakeEmbedder(), tmp_path)
    asked = await plan(NURSE, index, [], "seed")
    order = ["self_introduction", "own trade", "behavioral", "own trade", "soft_skills"]
    found = ["own trade" if q.own_trade else q.category.name.lower() for q in asked]
    assert found == order * 2


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("difficulty", [None, *Difficulty])
async def test_there_is_enough_to_ask_of_another_craft(
    language: str, difficulty: Difficulty | None, tmp_path: Path
) -> None:
    index = QuestionIndex(BANK, FakeEmbedder(), tmp_path)
    for rounds in range(1, 11):
        settings = InterviewSettings(
            language=language, rounds=rounds, difficulty=difficulty, own_trade=True
        )
        asked = await plan(settings, index, [], "seed")
        assert len({q.id for q in asked}) == rounds
        assert {q.language for q in asked} == {language}
        assert Category.TECHNICAL not in {q.category for q in asked}


@pytest.mark.parametrize("rounds", [3, 5])
async def test_who_has_a_title_that_is_unsure_is_asked_about_both(
    rounds: int, tmp_path: Path
) -> None:
    index = QuestionIndex(BANK, FakeEmbedder(), tmp_path)
    settings = InterviewSettings(rounds=rounds, job_title="Dachdecker", trade_unsure=True)
    asked = await plan(settings, index, [], "seed")
    found = ["own trade" if q.own_trade else q.category.name.lower() for q in asked]
    order = ["self_introduction", "own trade", "technical", "behavioral", "soft_skills"]
    assert found == order[:rounds]


async def test_the_banks_own_craft_is_not_asked_about_its_trade(tmp_path: Path) -> None:
    index = QuestionIndex(BANK, FakeEmbedder(), tmp_path)
    settings = InterviewSettings(rounds=10, categories=(Category.BEHAVIORAL,))
    for seed in map(str, range(20)):
        asked = await plan(settings, index, [], seed)
        assert not any(q.own_trade for q in asked)
        for number in range(1, 11):
            for difficulty in Difficulty:
                assert not harder_or_easier(asked, number, difficulty, index).own_trade


async def test_a_harder_question_about_ones_trade_is_one_too(tmp_path: Path) -> None:
    index = QuestionIndex(BANK, FakeEmbedder(), tmp_path)
    asked = await plan(NURSE, index, [], "seed")
    place = next(n for n, q in enumerate(asked, 1) if q.own_trade)
    others = {harder_or_easier(asked, place, difficulty, index) for difficulty in Difficulty}
    assert len(others) > 1
    assert all(q.own_trade for q in others)


def test_the_candidate_is_told_that_nothing_technical_is_asked() -> None:
    for language, sentence in (("en", "no technical questions"), ("zh", "没有这个职位的专业题")):
        settings = InterviewSettings(language=language, job_title="Nurse")
        assert sentence not in lines.opening(settings)
        told = InterviewSettings(language=language, job_title="Nurse", own_trade=True)
        assert sentence in lines.opening(told)
        unsure = InterviewSettings(language=language, job_title="Zwirner", trade_unsure=True)
        assert sentence not in lines.opening(unsure)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"job_title": "Nurse"}, "My question bank has no technical questions for it, so"),
        ({"job_title": "小学教师", "language": "zh"}, "我的题库里没有这个职位的专业题，"),
        ({"job_title": "Dachdecker"}, "so I will ask about your own trade too."),
        ({"job_title": "客户经理", "language": "zh"}, "所以也会请您谈谈您的本行。"),
    ],
)
async def test_it_is_said_in_the_interviews_first_line_and_not_in_its_settings(
    wire: Wire, settings: dict[str, str], sentence: str
) -> None:
    made = await wire.create(key="k", **settings)
    assert not made.settings.categories  # another interview like this one is chosen anew
    async with wire.converse(ConverseRequest(join=join(made.id, typed=True))) as call:
        seen = await until(call, lambda e: e.HasField("utterance_ended"))
    assert sentence in seen[-1].utterance_ended.turn.text
    assert (await wire.create(key="k", **settings)).id == made.id


async def test_what_is_asked_of_another_craft_is_kept_and_reported(wire: Wire) -> None:
    made = await wire.create(job_title="Nurse", rounds=2, follow_ups=0)
    async with wire.converse(ConverseRequest(join=join(made.id, typed=True))) as call:

        async def answer(number: int) -> None:
            await until(call, lambda e: e.utterance_ended.turn.round == number)
            await call.write(ConverseRequest(candidate=typed("I look at the patient first.")))

        await answer(1)
        await answer(2)
        seen = await until(call, lambda e: e.HasField("report_ready"))
    asked = [BANK.find(each.question_id) for each in seen[-1].report_ready.report.questions]
    assert [q is not None and q.own_trade for q in asked] == [False, True]


async def test_answers_about_ones_trade_are_compared_with_it_at_once_and_in_the_report() -> None:
    own = BANK.find("trade-tools")
    assert own is not None
    async with stage(rounds=1, follow_ups=0, questions=[own], trade="Nurse") as s:
        s.join()
        await s.to_first_question()
        await s.answer("I hang the drip and count the drops for a minute.")
        await s.play_out(Phase.CLOSING)
        await s.until(ReportReady)
        compared = [texts for texts in s.embedder.calls if own.text in texts]
        assert len(compared) >= 2
        assert all("Nurse" in texts for texts in compared)
