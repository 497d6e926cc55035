"""How windows reach the model: how urgent each is, how long it may take, and what a failure means.

Finals come first: somebody waits for them. One has a deadline of its own, is tried again when it is
refused, late or goes wrong, and only then told. A preview is worth little a moment later: it comes
behind all finals, and a failed one is left out.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from services.asr.engines.engine import Hypothesis, Window
from services.runtime.batching import Priority, Scheduled
from services.runtime.errors import DeadlineExpired, DeadlineTooShort, Overloaded, Unavailable

PREVIEW_PATIENCE = 2.0
"""Seconds after which a preview is no longer worth having."""
FINAL_PATIENCE = 10.0
"""Seconds a final may take at the first try, and twice as many at each one after it."""
_TRIES = 3
_LONGEST_PAUSE = 2.0
_PAUSE = 0.25
"""Seconds before a final is tried again after the model went wrong."""

_logger = logging.getLogger(__name__)


class Ticket:
    """Whether a window has reached the model: until then it costs nothing to withdraw it."""

    def __init__(self) -> None:
        self.started = False


class Decode(Protocol):
    """Runs a window through the model on behalf of a call."""

    async def __call__(
        self,
        window: Window,
        *,
        priority: Priority = Priority.INTERACTIVE,
        patience: float | None = None,
        ticket: Ticket | None = None,
    ) -> Scheduled[Hypothesis]:
        """Decodes a window.

        Args:
            window: What to decode.
            priority: Its class, if the call is not of a later one.
            patience: Seconds it may take; None leaves it to the call's deadline alone.
            ticket: Told when the window reaches the model.

        Raises:
            Exception: The scheduler's refusals, or what the model raised.
        """
        ...


async def decode_final(decode: Decode, window: Window) -> Scheduled[Hypothesis]:
    """Decodes a window whose text is waited for, and tries again when that fails.

    Raises:
        Exception: What the last try ended with.
    """
    patience = FINAL_PATIENCE
    for _ in range(_TRIES - 1):
        pause = 0.0
        try:
            return await decode(window, patience=patience)
        except DeadlineTooShort as error:
            failure: Exception = error
            patience = max(patience, error.needed)
        except DeadlineExpired as error:
            failure = error
        except (Overloaded, Unavailable) as error:
            failure = error
            pause = min(error.retry_after, _LONGEST_PAUSE)
        except Exception as error:  # noqa: BLE001 - a model raises what its library raises
            failure = error
            pause = _PAUSE
        # Late is better than never: the stream's own deadline still holds.
        patience *= 2
        _logger.warning(
            "a final failed and is tried again", extra={"fields": {"error": type(failure).__name__}}
        )
        await asyncio.sleep(pause)
    return await decode(window, patience=patience)
