"""How a constrained answer ends: whole, completed, or refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.llm.chat import FinishReason
from services.llm.constraints import ConstraintBroken, Matcher, complete, verify
from services.llm.generation import Generation
from services.runtime.errors import FailedPrecondition

UNFINISHED = "CONSTRAINT_UNFINISHED"
"""The reason of a constrained answer that failed because it could not be made whole."""


def finish_whole(generation: Generation, answer: bytes) -> None:
    """Ends an answer that its model ended.

    Raises:
        FailedPrecondition: It is not what its constraint says; the automata cannot see that a key
            of an object occurs twice.
    """
    if generation.matcher is not None and not generation.cancelled:
        try:
            verify(generation.matcher.grammar, answer.decode())
        except ValueError as error:
            raise FailedPrecondition(UNFINISHED, str(error)) from None
    generation.finish(FinishReason.STOP)


def finish_short(
    generation: Generation,
    matcher: Matcher,
    answer: bytes,
    tokenize: Callable[[str], Sequence[int]],
) -> None:
    """Completes a constrained answer that its model cannot go on with.

    There are no tokens left, or none that fits: a vocabulary may lack the bytes of rare characters.

    Args:
        generation: The answer.
        matcher: Its constraint.
        answer: Its bytes so far; may end within a character.
        tokenize: Text to token ids, to count what is added.

    Raises:
        FailedPrecondition: It cannot be completed.
    """
    try:
        closing = complete(matcher.grammar, answer)
        verify(matcher.grammar, (answer + closing).decode())
    except (ConstraintBroken, UnicodeDecodeError) as error:
        raise FailedPrecondition(
            UNFINISHED,
            f"the constrained answer could not be finished after {len(generation.answer)} of"
            f" {generation.max_tokens} tokens ({error})",
        ) from None
    reason = FinishReason.STOP if generation.remaining > 0 else FinishReason.LENGTH
    generation.say(generation.text.push(closing))
    generation.answer += tokenize(closing.decode(errors="ignore"))
    generation.finish(reason)
