"""Creating interviews: settings checked, questions chosen, a voice cast; once for a key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from services.interview.candidate_name import clean_name
from services.interview.interviewer.casting import Casting
from services.interview.languages import LANGUAGES, held_in
from services.interview.questions.bank import Bank, Question
from services.interview.questions.crafts import Craft, load_crafts
from services.interview.questions.index import QuestionIndex
from services.interview.questions.planning import craft_asked, harder_or_easier, plan
from services.interview.record import Difficulty, Interview, InterviewSettings
from services.interview.refusals import RefusedField
from services.interview.spoken_text import clean_text, clean_topics, refuse_control_characters
from services.interview.store.store import KEY_LIFE as KEPT_KEY_LIFE
from services.interview.store.store import KeyTaken, Store
from services.interview.uses import Uses
from services.runtime.errors import InvalidField
from services.runtime.ids import new_id

KEY_LIFE = KEPT_KEY_LIFE
"""How long a key names the interview it created."""

LONGEST_TITLE, LONGEST_TOPIC = 200, 100
"""Characters, as in the contract."""


def _clean(settings: InterviewSettings) -> InterviewSettings:
    """The settings with all that will be said cleaned of what cannot be seen."""
    name, title = settings.candidate_name, settings.job_title
    if title is not None:
        refuse_control_characters("settings.job_title", title)
        title = clean_text("settings.job_title", title, LONGEST_TITLE)
    for field in ("voice", "persona"):
        refuse_control_characters(f"settings.{field}", getattr(settings, field) or "")
    return replace(
        settings,
        candidate_name=None if name is None else clean_name(name),
        job_title=title,
        topics=clean_topics("settings.topics", settings.topics, LONGEST_TOPIC),
    )


class Creation:
    """Creates interviews."""

    def __init__(
        self, bank: Bank, index: QuestionIndex, casting: Casting, store: Store, uses: Uses
    ) -> None:
        self._bank = bank
        self._index = index
        self._casting = casting
        self._store = store
        self._uses = uses
        self._crafts = load_crafts()
        # Creations under way, and those that wait for them; both under the same key.
        self._locks: dict[tuple[str, str], tuple[asyncio.Lock, int]] = {}

    async def create(self, user: str, settings: InterviewSettings, key: str | None) -> Interview:
        """Creates an interview and chooses its questions; with a key, only once a day.

        Raises:
            InvalidField: A name, title or topic that cannot be said, control characters, a
                language that is not spoken, a persona, voice or question that does not exist,
                conditions that leave too few questions, or a key that has made an interview
                with other settings.
            ServiceError: The user may create none now.
        """
        settings = _clean(settings)
        if key is None:
            return await self._create(user, settings, None)
        refuse_control_characters("idempotency_key", key)
        lock, waiting = self._locks.get((user, key), (asyncio.Lock(), 0))
        self._locks[user, key] = lock, waiting + 1
        try:
            async with lock:
                made = await self._created(user, settings, key)
                return made or await self._create_once(user, settings, key)
        finally:
            lock, waiting = self._locks[user, key]
            if waiting > 1:
                self._locks[user, key] = lock, waiting - 1
            else:
                del self._locks[user, key]

    async def _create_once(self, user: str, settings: InterviewSettings, key: str) -> Interview:
        try:
            return await self._create(user, settings, key)
        except KeyTaken:  # by another process, meanwhile
            made = await self._created(user, settings, key)
            if made is None:
                raise
            return made

    async def _created(self, user: str, settings: InterviewSettings, key: str) -> Interview | None:
        """What the key has made."""
        made = await self._store.find_by_key(user, key)
        if made is None or datetime.now(UTC) - made.created >= KEY_LIFE:
            return None
        if made.asked != settings:
            raise RefusedField(
                "IDEMPOTENCY_KEY_REUSED",
                "idempotency_key",
                "has created an interview with other settings; take a new key",
            )
        return made

    async def _create(self, user: str, settings: InterviewSettings, key: str | None) -> Interview:
        if not held_in(settings.language):
            raise InvalidField(
                "settings.language",
                f"interviews are held in: {', '.join(sorted(LANGUAGES))} (Chinese as it is"
                " written in simplified characters)",
            )
        voice = await self._casting.voice(settings)
        asked = settings
        settings = replace(settings, mode=self._casting.mode(settings))
        if strange := set(settings.categories) - settings.mode.categories:
            raise InvalidField(
                "settings.categories",
                f"{settings.persona!r} does not ask about {min(strange).name.lower()}",
            )
        chosen = [
            self._chosen(number, question_id, settings)
            for number, question_id in enumerate(settings.question_ids)
        ]
        craft = craft_asked(settings, self._crafts)
        settings = replace(
            settings,
            own_trade=craft is Craft.ANOTHER,
            trade_unsure=craft is Craft.UNSURE,
        )
        interview_id = new_id()
        questions = await plan(settings, self._index, chosen, seed=interview_id)
        if len(questions) < settings.rounds:
            raise InvalidField(
                "settings.rounds",
                f"only {len(questions)} questions fit these categories and this difficulty",
            )
        interview = Interview(
            id=interview_id,
            user=user,
            settings=settings,
            asked=asked,
            plan=tuple(question.id for question in questions),
            created=datetime.now(UTC),
            key=key,
            voice=voice,
        )
        # After all that may be refused, so that a use is counted for an interview alone.
        # By the interview's id, and not by the creation's key: with that, one that is deleted could
        # be created again and be held for nothing.
        try:
            await self._uses.reserve(user, interview_id)
            await self._store.save(interview)
        except BaseException:
            # Whatever happened, an answer that was late too: it is given back unless it was kept.
            self._uses.give_back(user, interview_id)
            raise
        return interview

    def _chosen(self, number: int, question_id: str, settings: InterviewSettings) -> Question:
        field = f"settings.question_ids[{number}]"
        question = self._bank.find(question_id)
        if question is None:
            raise InvalidField(field, f"no question {question_id!r}")
        if question.category not in settings.mode.categories:
            raise InvalidField(field, f"{settings.persona!r} does not ask {question_id!r}")
        return question

    def questions(self, interview: Interview) -> Sequence[Question]:
        """The questions an interview asks, one a round."""
        found = map(self._bank.find, interview.plan)
        return [question for question in found if question is not None]

    def alternatives(self, interview: Interview) -> Mapping[int, Mapping[Difficulty, Question]]:
        """By round, easier and harder questions that cover the same; none for chosen questions."""
        planned = self.questions(interview)
        if len(planned) != len(interview.plan):
            return {}
        hardest = interview.settings.difficulty or Difficulty.HARD
        levels = [difficulty for difficulty in Difficulty if difficulty <= hardest]
        return {
            number: {
                level: harder_or_easier(planned, number, level, self._index) for level in levels
            }
            for number in range(len(interview.settings.question_ids) + 1, len(planned) + 1)
        }
