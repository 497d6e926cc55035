"""One call of the model, in a thread of the scheduler: who still wants it, what became of it.

A batch that the device has too little memory for is tried once more in two halves; one item alone
is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from services.runtime.device_memory import is_out_of_memory
from services.runtime.errors import OutOfMemory, TooLarge
from services.runtime.queueing import Job

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Ran(NamedTuple, Generic[ItemT, ResultT]):
    """What a model's thread did.

    Attributes:
        jobs: Those that reached the model.
        results: What became of each.
        started: On the event loop's clock, in seconds.
        seconds: In the model.
        error: Of a batch that failed as a whole.
        short: Whether the device had too little memory for all at once.
    """

    jobs: Sequence[Job[ItemT]]
    results: Sequence[ResultT | BaseException]
    started: float
    seconds: float
    error: Exception | None
    short: bool


def call_model(
    run: Callable[[Sequence[ItemT]], Sequence[ResultT | Exception]],
    jobs: Sequence[Job[ItemT]],
    clock: Callable[[], float],
    name: str,
    done_before: float = 0.0,
) -> Ran[ItemT, ResultT]:
    """Runs the jobs whose callers still wait; raises nothing.

    Args:
        run: The model.
        jobs: A batch.
        clock: The event loop's.
        name: The scheduler's, for errors.
        done_before: The most that one item has cost the model could do.
    """
    # The last look before the model: a thread may have taken its time to start.
    started = clock()
    alive = [
        job for job in jobs if job.submission.deadline > started and not job.submission.done.done()
    ]
    if not alive:
        return Ran([], [], started, 0.0, None, short=False)
    error, results = _attempt(run, alive, name)
    short = error is not None and is_out_of_memory(error)
    if short:
        results = []
        for part in _halves(alive):
            again, answers = (error, []) if len(alive) == 1 else _attempt(run, part, name)
            if again is not None and is_out_of_memory(again):
                answers = [_no_memory(name, job, part, done_before) for job in part]
            results.extend(answers)
        if not all(isinstance(result, BaseException) for result in results):
            error = None
    return Ran(alive, results, started, clock() - started, error, short)


def _halves(jobs: Sequence[Job[ItemT]]) -> list[Sequence[Job[ItemT]]]:
    half = (len(jobs) + 1) // 2
    return [part for part in (jobs[:half], jobs[half:]) if part]


def _no_memory(
    name: str, job: Job[ItemT], beside: Sequence[Job[ItemT]], done_before: float
) -> Exception:
    """What the caller of a job is told whose batch had too little memory.

    Alone, and larger than any that was ever done, it is too large; otherwise it is the device that
    has less memory than it had, or the company was too much.
    """
    if len(beside) == 1 and job.cost > done_before:
        return TooLarge(name)
    return OutOfMemory(name)


def _attempt(
    run: Callable[[Sequence[ItemT]], Sequence[ResultT | Exception]],
    jobs: Sequence[Job[ItemT]],
    name: str,
) -> tuple[Exception | None, list[ResultT | BaseException]]:
    """Calls the model: the error if it failed as a whole, and what each job is answered."""
    error: Exception
    try:
        results: list[ResultT | BaseException] = [
            _ended(name, each) if isinstance(each, StopIteration) else each
            for each in run([job.item for job in jobs])
        ]
        if len(results) == len(jobs):
            return None, results
        error = RuntimeError(f"{name}: {len(results)} results for {len(jobs)} items")
    except StopIteration as raised:
        error = _ended(name, raised)
    except Exception as raised:  # noqa: BLE001 - whatever the model raises is the answer
        # What the stack holds of the device's memory is needed for the next attempt.
        error = raised.with_traceback(None) if is_out_of_memory(raised) else raised
    except BaseException as raised:  # noqa: BLE001 - no caller cancelled it, no thread exits by it
        error = _ended(name, raised)
    return error, [error] * len(jobs)


def _ended(name: str, by: BaseException) -> RuntimeError:
    """Stands for what no future takes, or what would end more than this call."""
    error = RuntimeError(f"{name} was ended by {type(by).__name__}")
    error.__cause__ = by
    return error
