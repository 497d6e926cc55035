"""What is fixed for a session: its settings, its questions, and the words for each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from services.interview.conversation.pace import Pace
from services.interview.conversation.progress import Step, after
from services.interview.conversation.state import Kind, Line, Place, Prepared
from services.interview.endpointing.deciding import Asked
from services.interview.interviewer import lines
from services.interview.interviewer.asking import Context, bank_follow_up, hint
from services.interview.interviewer.assessing import Assessment
from services.interview.interviewer.deciding import Course, Move, next_difficulty
from services.interview.interviewer.declining import subject
from services.interview.interviewer.statements import joined
from services.interview.practice import lines as practice
from services.interview.questions.bank import Question
from services.interview.record import Difficulty, Interview, InterviewSettings, Mode, Phase

Alternatives = Mapping[int, Mapping[Difficulty, Question]]
"""By round and difficulty."""

AHEAD_FOLLOW_UPS = 2
"""So many of a question's own follow-ups are made ahead."""


@dataclass(frozen=True, slots=True)
class Script:
    """The settings and the questions of a session.

    Attributes:
        questions: By round, from the first; None where the bank has the planned one no longer.
        alternatives: By round, what may be asked in the place of the planned question.
    """

    interview_id: str
    settings: InterviewSettings
    questions: tuple[Question | None, ...]
    pace: Pace
    alternatives: Alternatives = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        interview: Interview,
        questions: Sequence[Question],
        pace: Pace,
        alternatives: Alternatives = MappingProxyType({}),
    ) -> Script:
        """The script of an interview whose planned questions were found as far as they exist."""
        by_id = {question.id: question for question in questions}
        planned = tuple(by_id.get(question_id) for question_id in interview.plan)
        return cls(interview.id, interview.settings, planned, pace, alternatives)

    @property
    def rounds(self) -> list[int]:
        """The rounds there is a question for."""
        return [number for number, found in enumerate(self.questions, 1) if found is not None]

    def question(self, step: Step) -> Question | None:
        """The bank's question a step belongs to."""
        return self.questions[step.round - 1] if step.asks else None

    def fitting(self, step: Step, course: Course) -> Question | None:
        """The question to ask at a step: as hard as the answers so far call for."""
        planned = self.question(step)
        if planned is None or not course.levels:
            return planned
        wanted = next_difficulty(course, self.settings.difficulty)
        if planned.difficulty is wanted:
            return planned
        other = self.alternatives.get(step.round, {}).get(wanted, planned)
        return planned if other in self.questions else other

    def with_question(self, round_number: int, question_id: str) -> Script:
        """The script with an alternative in the place of a round's planned question."""
        found = self.alternatives.get(round_number, {}).values()
        chosen = next((question for question in found if question.id == question_id), None)
        if chosen is None:
            return self
        before, after_it = self.questions[: round_number - 1], self.questions[round_number:]
        return replace(self, questions=(*before, chosen, *after_it))

    def course(self, place: Place) -> Course:
        """How the interview has gone so far."""
        rounds = self.rounds
        level = () if place.level is None else (place.level,)
        return Course(
            rounds=rounds[-1] if rounds else 0,
            follow_ups=self.settings.follow_ups,
            levels=(*place.levels, *level),
            round=place.step.round,
            follow_up=place.step.follow_up,
        )

    def middling(self, place: Place, answer: str) -> Assessment:
        """What an answer is taken to say as long as nobody has looked at it."""
        question = self.question(place.step)
        missed = question.key_points if question is not None else ()
        return Assessment(
            covered=(),
            missed=tuple(missed),
            level=0.5,
            declined=False,
            words=len(answer.split()),
        )

    def context(self, place: Place, answer: str, assessment: Assessment) -> Context:
        """What a follow-up to the answer is built from."""
        question = self.question(place.step)
        assert question is not None  # noqa: S101 - only an answer to a question is followed up
        recent = ((("interviewer", place.line.text),) if place.line else ()) + (
            ("candidate", answer),
        )
        return Context(
            question=question,
            answer=answer,
            covered=assessment.covered,
            missed=assessment.missed,
            recent=recent,
            asked=place.said,
            language=self.settings.language,
        )

    def asked(self, place: Place) -> Asked:
        """What is being answered, for the decision whether the answer is over."""
        question = self.question(place.step)
        return Asked(
            text=place.line.text if place.line is not None else "",
            phase=place.step.phase,
            category=None if question is None else question.category,
            language=self.settings.language,
        )

    def about(self, place: Place) -> str:
        """What is being answered, and all else that belongs to it."""
        question, asked = self.question(place.step), self.asked(place).text
        return asked if question is None else f"{asked} {subject(question)}"

    # The words.

    def line(
        self,
        step: Step,
        text: str | None = None,
        *,
        question: Question | None = None,
        assessment: Assessment | None = None,
        answered: bool = True,
    ) -> Line:
        """The line of a step.

        Args:
            step: The step.
            text: A follow-up's.
            question: What is asked in the place of the planned question.
            assessment: Of the answer before: one that earns it is praised.
            answered: Whether any question was: no report is promised of nothing.
        """
        question = question or self.question(step)
        match step.phase:
            case Phase.OPENING:
                return Line(step, self._opening())
            case Phase.QUESTION if question is not None:
                praised = assessment is not None and assessment.level >= lines.WELL
                said = self._introduced(question, step.round, thanked=praised)
                if praised:
                    language, seed = self.settings.language, f"{self.interview_id}/{step.round}"
                    said = joined(language, lines.encouragement(assessment, language, seed), said)
                return Line(step, said, Kind.CONTENT, _place_of(question.text, said), question.id)
            case Phase.FOLLOW_UP if question is not None and text is not None:
                return Line(step, text, question_id=question.id)
            case _:
                closing = practice.closing if self._practised else lines.closing
                return Line(step, closing(self.settings, answered=answered))

    @property
    def talks(self) -> bool:
        """Whether it is a talk, in which the other is spoken to, too."""
        return self._practised

    @property
    def _practised(self) -> bool:
        return self.settings.mode is Mode.SPEAKING_PRACTICE

    def _opening(self) -> str:
        return (practice.opening if self._practised else lines.opening)(self.settings)

    def _introduced(self, question: Question, number: int, *, thanked: bool) -> str:
        rounds = len(self.questions)
        if self._practised:
            return practice.topic(question.text, number, rounds, thanked=thanked)
        language = self.settings.language
        return lines.question(question.text, number, rounds, language, thanked=thanked)

    def again(self, line: Line) -> Line:
        """The same line once more; what commits to nothing does not commit then either."""
        if line.kind is Kind.ASIDE:
            return line
        return Line(line.step, line.text, Kind.AGAIN, line.content, line.question_id)

    def repeated(self, line: Line) -> Line:
        """The question of a line once more, as one repeats it."""
        question = line.text[line.content :]
        text = lines.repeated(question, self.settings.language)
        return Line(line.step, text, Kind.AGAIN, _place_of(question, text), line.question_id)

    def rephrased(self, line: Line) -> Line:
        """The question of a line once more, with what it is about."""
        question, asked = line.text[line.content :], self.question(line.step)
        about = None if asked is None else hint(asked)
        text = lines.rephrased(question, self.settings.language, about)
        return Line(line.step, text, Kind.AGAIN, _place_of(question, text), line.question_id)

    def aside(self, text: str, place: Place, *, answered: bool = False) -> Line:
        """Words that commit to nothing; `answered` says that the candidate is to answer them."""
        return Line(place.step, text, Kind.ASIDE, answered=answered)

    def opener(self, number: int) -> str:
        """A short sign that an answer was taken."""
        choices = lines.openers(self.settings.language)
        return choices[number % len(choices)]

    def take_your_time(self) -> str:
        """What is said in a long pause."""
        return lines.take_your_time(self.settings.language)

    def time_given(self) -> str:
        """What is written to a candidate who asks for a moment."""
        return lines.line(lines.Said.HOLD, self.settings.language)

    def skip_offer(self) -> str:
        """What a candidate is asked who says nothing."""
        return lines.skip_offer(self.settings.language)

    def wonder(self) -> str:
        """What a candidate is asked who seems to have spoken to the interviewer."""
        return lines.line(lines.Said.WAS_THAT_IT, self.settings.language)

    def not_heard(self) -> str:
        """What a candidate is told of whom no word was understood."""
        return lines.line(lines.Said.NOT_HEARD, self.settings.language)

    def end_question(self, *, again: bool = False) -> str:
        """What a candidate is asked who seems to want to stop; again, if that was unclear."""
        if self._practised:
            return practice.confirm_end(again=again)
        said = lines.Said.CONFIRM_END_AGAIN if again else lines.Said.CONFIRM_END
        return lines.line(said, self.settings.language)

    def bank_follow_up(self, place: Place, answer: str, assessment: Assessment | None) -> str:
        """The bank's follow-up to an answer."""
        known = assessment or self.middling(place, answer)
        return bank_follow_up(self.context(place, answer, known))

    def ahead(self, place: Place) -> list[Prepared]:
        """The lines that may be wanted after the answer to the place's step."""
        step = place.step
        if step.phase is Phase.CLOSING:
            return []
        wanted = []
        question = self.question(step)
        if question is not None and step.follow_up < self.settings.follow_ups:
            middling = self.bank_follow_up(place, "", None)
            own = [middling, *(t for t in question.follow_ups if t not in {middling, *place.said})]
            wanted += [Prepared(text, Phase.FOLLOW_UP) for text in own[:AHEAD_FOLLOW_UPS]]
        following = self.line(after(step, Move.NEXT, self.rounds))
        wanted.append(Prepared(following.text, following.step.phase))
        if question is not None:
            openers = lines.openers(self.settings.language)
            wanted += [Prepared(text, step.phase) for text in openers]
        return wanted


def _place_of(question: str, text: str) -> int:
    return max(0, text.find(question))
