"""Telling the candidate when a model server fails, what to do meanwhile, and when it is back."""

from __future__ import annotations

import logging
from collections.abc import Callable

from services.interview.clients.seams import DependencyFailed, ServiceName
from services.interview.events import Event, Remedy, ServiceDegraded
from services.runtime.logs import log

_logger = logging.getLogger(__name__)

_ADVICE: dict[ServiceName, tuple[str, Remedy]] = {
    "tts": ("The interviewer's voice is not available; please read the text.", Remedy.READ_TEXT),
    "asr": ("Speech is not understood at the moment; please type.", Remedy.TYPE_ANSWERS),
    "llm": ("Follow-up questions come from the question bank.", Remedy.CARRY_ON),
    "embed": ("Answers are compared word by word for the moment.", Remedy.CARRY_ON),
}
_BACK: dict[ServiceName, str] = {
    "tts": "The interviewer's voice is back.",
    "asr": "Speech is understood again.",
    "llm": "Follow-up questions are made to measure again.",
    "embed": "Answers are compared by meaning again.",
}


class Degradation:
    """Which services fail now. Each change is told once."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._failing: set[ServiceName] = set()

    def failed(self, failure: DependencyFailed) -> None:
        """A service could not be used."""
        if failure.service in self._failing:
            return
        self._failing.add(failure.service)
        log(_logger, logging.WARNING, "degraded", to=failure.service, reason=failure.reason)
        message, remedy = _ADVICE[failure.service]
        self._emit(
            ServiceDegraded(failure.service, recovered=False, message=message, remedy=remedy)
        )

    def worked(self, service: ServiceName) -> None:
        """A service did what it was asked."""
        if service not in self._failing:
            return
        self._failing.discard(service)
        self._emit(
            ServiceDegraded(service, recovered=True, message=_BACK[service], remedy=Remedy.NONE)
        )
