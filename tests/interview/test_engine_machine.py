"""The engine under everything that can happen, in every order: what must hold, holds."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from services.interview.clients.seams import (
    PartialHeard,
    PauseHeard,
    ProbablyEnded,
    ServiceName,
    SpeechBegan,
    SpeechLost,
    TurnEnded,
    WentOn,
)
from services.interview.conversation import events as e
from services.interview.conversation.state import Kind, OrderKind, SessionState, Timer
from services.interview.events import StateChanged, UtteranceStarted
from services.interview.record import Patience, State
from tests.interview.world import PCM, World

ORDERS = (OrderKind.PAUSE, OrderKind.RESUME, OrderKind.END)
FOLLOW_UP = "How did you choose the index?"
WISHES = (
    "Can you repeat the question?",
    "Could you rephrase that?",
    "Give me a moment, please.",
    "Next question, please.",
    "Can we stop here?",
    "I want to end the interview.",
    "Yes.",
    "No.",
    "Not really.",
    "I don't know.",
)
"""What is wanted of the interview, and what may be said to its own offers."""
WAYS = ("preview", "eager", "final")
"""By what the words of speech are known first."""
BEGINNINGS = ("ready", "greeting", "asking", "asked", "answered", "offered", "ending")


class Sessions(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.words = 0
        self.stretch: list[str] = []
        self.began: float | None = None
        self.silent = False
        self.final: list[str] = []
        self.starts = 0

    @property
    def state(self) -> SessionState:
        return self.world.state

    @initialize(beginning=st.sampled_from(BEGINNINGS))
    def begin_somewhere(self, beginning: str) -> None:
        if beginning == "ready":
            return
        self.world.happen(e.Joined(PCM))
        if beginning == "greeting":
            return
        self.world.settle()
        self.world.play()
        self.world.speak()
        if beginning == "asking":
            return
        self.world.settle()
        self.world.play()
        self.world.settle()
        if beginning == "answered":
            self.answer()
        elif beginning == "offered":
            self.keep_silent()
        elif beginning == "ending":
            self.world.happen(e.Typed("I want to end the interview."))

    @property
    def idle(self) -> bool:
        return self.state.state is State.LIVE and self.state.present and self.began is None

    # The client.

    @rule(spoken=st.booleans(), speaks=st.booleans(), client=st.sampled_from([None, "a", "b"]))
    def join(self, spoken: bool, speaks: bool, client: str | None) -> None:
        sat = self.state.client
        sent_away = sat if sat != client else None
        self.world.happen(e.Joined(PCM if spoken else None, speaks, client, sent_away))

    @precondition(lambda self: self.state.present)
    @rule()
    def leave(self) -> None:
        self.world.happen(e.Left())

    @rule(share=st.floats(0, 1.2), finished=st.booleans())
    def play(self, share: float, finished: bool) -> None:
        floor = self.state.floor
        if floor is not None:
            self.world.play(share * floor.playback.sent, finished=finished)

    @rule(kind=st.sampled_from(ORDERS), after=st.floats(0, 3))
    def order(self, kind: OrderKind, after: float) -> None:
        self.world.pass_time(after)
        if kind is OrderKind.END and self.starts <= 1:
            return
        speech, free = self.state.speech, self.state.floor is None and not self.state.orders
        text = speech.text if self.state.state is State.LIVE and speech.under_way else ""
        self.world.order(kind)
        if kind is OrderKind.END and free and "alpha" in text:
            # Its final text does not come: what was understood of it is kept.
            self.world.pass_time(self.world.pace.order + 0.1)
            assert text in " ".join(self.world.turns())

    @rule(text=st.sampled_from(["", " ", "typed"]))
    def type(self, text: str) -> None:
        if text == "typed" and self.state.state in {State.LIVE, State.PAUSED}:
            self.words += 1
            text = f"typed{self.words} words here"
            self.final.append(text)
        self.world.happen(e.Typed(text))

    @rule(text=st.sampled_from(WISHES), number=st.none() | st.integers(1, 9))
    def type_a_wish(self, text: str, number: int | None) -> None:
        typed = e.Typed(text)
        client = self.state.client
        if number is None or client is None:
            self.world.happen(typed)
        else:
            self.world.happen(e.Numbered(client, number, typed))

    @rule(
        event=st.sampled_from(
            [e.Interrupted(), e.Finished(), e.Hold(5.0), e.SetPatience(Patience.PATIENT)]
        )
    )
    def press(self, event: e.Happening) -> None:
        self.world.happen(event)

    # The candidate.

    def _text(self) -> str:
        return " ".join(self.stretch)

    @precondition(lambda self: self.state.state is State.LIVE and self.state.present)
    @rule()
    def begin(self) -> None:
        if self.began is None:
            self.began, self.stretch = self.world.now, []
        self.silent = False
        self.world.happen(e.Heard(SpeechBegan(self.began)))

    @precondition(lambda self: self.began is not None)
    @rule(listening=st.booleans())
    def say(self, listening: bool) -> None:
        self.words += 1
        new = ["mm-hm"] if listening else [f"alpha{self.words}", f"beta{self.words}", "gamma"]
        self.stretch += new
        self.world.pass_time(0.5)
        if self.silent:
            self.world.happen(e.Heard(WentOn(self.world.now)))
            self.silent = False
        self.world.happen(e.Heard(PartialHeard(self._text(), "")))

    @precondition(lambda self: self.began is not None)
    @rule(silence=st.floats(0.1, 4.0), sound=st.none() | st.floats(0, 1), eager=st.booleans())
    def pause(self, silence: float, sound: float | None, eager: bool) -> None:
        assert self.began is not None
        end = self.world.now
        self.world.pass_time(silence)
        self.silent = True
        if eager:
            told = ProbablyEnded(self._text(), (), self.began, end)
            self.world.happen(e.Heard(told))
        self.world.happen(e.Heard(PauseHeard(silence, end, sound)))

    @precondition(lambda self: self.began is not None)
    @rule(understood=st.booleans())
    def end(self, understood: bool) -> None:
        assert self.began is not None
        text = self._text() if understood else ""
        spoken_over = self.state.floor is not None and self.state.floor.line.kind is not Kind.ASIDE
        meant = text and any(word.startswith("alpha") for word in self.stretch)
        taken = self.state.state is State.LIVE or self.state.speech.under_way
        alive = self.state.state in {State.LIVE, State.PAUSED}
        if meant and alive and taken and self.state.salvage is None:
            self.final.append(text)
        del spoken_over
        self.world.happen(e.Heard(TurnEnded(text, (), self.began, self.world.now)))
        self.began, self.stretch = None, []

    @precondition(lambda self: self.began is not None)
    @rule()
    def lose(self) -> None:
        self.world.happen(e.Heard(SpeechLost()))

    @precondition(lambda self: self.idle)
    @rule()
    def answer(self) -> None:
        """All at once: an answer as most are."""
        self.begin()
        self.say(listening=False)
        self.pause(silence=0.3, sound=0.9, eager=True)
        self.end(understood=True)

    @precondition(lambda self: self.idle)
    @rule(text=st.sampled_from(WISHES), way=st.sampled_from(WAYS))
    def say_a_wish(self, text: str, way: str) -> None:
        """All at once."""
        began = self.world.now
        self.world.happen(e.Heard(SpeechBegan(began)))
        self.world.pass_time(0.2)
        if way == "preview":
            self.world.happen(e.Heard(PartialHeard(text, "")))
        elif way == "eager":
            self.world.happen(e.Heard(ProbablyEnded(text, (), began, self.world.now)))
        self.world.pass_time(0.2)
        self.world.happen(e.Heard(TurnEnded(text, (), began, self.world.now)))

    @precondition(lambda self: self.idle)
    @rule(
        ends=st.booleans(),
        heard=st.booleans(),
        text=st.sampled_from(WISHES),
        way=st.sampled_from([*WAYS, "typed"]),
    )
    def answer_an_offer(self, ends: bool, heard: bool, text: str, way: str) -> None:
        """To skip, or to end."""
        if ends:
            self.world.happen(e.Typed("I want to end the interview."))
            self.world.settle()
        else:
            self.keep_silent()
        if heard:
            self.world.play()
            self.world.settle()
        if way == "typed":
            self.type_a_wish(text, None)
        elif self.idle:
            self.say_a_wish(text, way)

    def keep_silent(self) -> None:
        """Until something is offered."""
        for _ in range(4):
            self.world.settle()
            if self.state.offered:
                break
            self.world.play()
            self.world.pass_time(21.0)

    # The servers.

    @rule()
    def store(self) -> None:
        self.world.store()

    @rule()
    def store_first(self) -> None:
        self.world.store_first()

    @rule()
    def fail_to_store(self) -> None:
        self.world.fail_to_store()

    @rule(text=st.sampled_from([FOLLOW_UP, None]))
    def think(self, text: str | None) -> None:
        self.world.think(text)

    @rule(count=st.integers(1, 30))
    def speak(self, count: int) -> None:
        self.world.speak(count)

    @precondition(lambda self: self.world.delivery is not None)
    @rule()
    def break_speech(self) -> None:
        assert self.world.delivery is not None
        name, self.world.delivery = self.world.delivery.id, None
        self.world.happen(e.SpeechMade(name, "UNAVAILABLE"))

    @rule(service=st.sampled_from(["asr", "tts", "llm", "embed"]))
    def fail(self, service: ServiceName) -> None:
        self.world.happen(e.Failed(service, "UNAVAILABLE"))

    @rule()
    def recover(self) -> None:
        self.world.recover()

    @rule(seconds=st.sampled_from([0.05, 0.7, 3.0, 12.0, 45.0]))
    def wait(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule()
    def review(self) -> None:
        self.world.review()

    @rule()
    def all_is_well(self) -> None:
        self.world.settle()
        self.world.play()

    @precondition(lambda self: self.state.state is not State.READY and not self.state.finished)
    @rule(warned=st.booleans())
    def die_and_live_again(self, warned: bool) -> None:
        """Another process reads what was stored; what was under way is gone."""
        world = self.world
        world.settle()
        if warned and not self.state.finished:
            world.order(OrderKind.HAND_ON)
            world.pass_time(world.pace.order + 0.1)
            assert self.state.handed_on
            told = len(world.told)
            world.happen(e.Typed("too late"))
            world.happen(e.Joined(PCM))
            assert len(world.told) == told
            assert "too late" not in " ".join(world.turns())
        world.settle()
        self.world = world.gone_on_with()
        self.began, self.stretch, self.silent = None, [], False

    @precondition(lambda self: self.world.durable is not None and not self.state.finished)
    @rule()
    def die_at_once(self) -> None:
        """Another process reads what was stored, which is all that was told as finished."""
        told = {event.turn.id: event.turn.text for event in self.world.candidate_turns()}
        self.world = self.world.gone_on_with_what_is_stored()
        assert set(told) <= set(self.world.kept)
        finished = " ".join(told.values())
        self.final = [text for text in self.final if text in finished]
        self.began, self.stretch, self.silent = None, [], False

    # What must hold.

    @invariant()
    def each_line_that_began_ends(self) -> None:
        """Before the next begins, or is stopped."""
        assert not self.world.unended()

    @invariant()
    def what_is_worth_a_commit_is_stored(self) -> None:
        state = self.state
        if state.storing and state.commit > state.committed and not state.finished:
            assert self.world.commits

    @invariant()
    def nothing_that_was_said_is_lost(self) -> None:
        kept = " ".join(self.world.turns())
        held = self.state.place.answer.held
        kept += f" {held.text}" if held is not None else ""
        for text in self.final:
            assert text in kept, text

    @invariant()
    def a_live_session_always_has_a_way_on(self) -> None:
        state = self.state
        if state.state is State.LIVE and not state.finished:
            assert state.timers, "nothing will ever happen"
            assert {kept.timer for kept in state.timers} == set(self.world.timers)
        if not state.storing and not state.finished:
            assert state.running(Timer.STORE) is not None or self.world.commits

    @invariant()
    def one_speaks_at_a_time(self) -> None:
        floor, speech = self.state.floor, self.state.speech
        told = [event for event in self.world.told if isinstance(event, UtteranceStarted)]
        if len(told) > self.starts and floor is not None and floor.started == self.world.now:
            assert not (speech.under_way and speech.worded) or floor.line.kind is Kind.ASIDE
        self.starts = len(told)

    @invariant()
    def who_answers_was_asked(self) -> None:
        """Speech that nobody had been asked for belongs to what was asked before."""
        place = self.state.place
        spoken = [turn for turn in place.answer.turns if not turn.typed]
        if place.step.asks and spoken and self.state.before is not None:
            assert place.asked

    @invariant()
    def an_answer_that_is_over_is_replied_to(self) -> None:
        """Where nobody speaks and nothing holds the reply back, it is under way."""
        state = self.state
        idle = state.floor is None and not state.speech.under_way and state.hold is None
        if idle and state.state is State.LIVE and state.present and state.storing:
            waits = state.reply is not None and state.reply.released is not None
            assert waits or not state.place.answer.turns
            assert waits or state.place.step.asks
            assert waits or state.running(Timer.QUIET) is not None or not state.speaks

    def teardown(self) -> None:
        """Whatever happened: left alone in a world that works, a session gets somewhere."""
        world = self.world
        world.happen(e.Joined(PCM))
        world.settle()
        for _ in range(60):
            if world.state.finished or world.state.state is State.PAUSED:
                break
            world.recover()
            world.settle()
            world.play()
            world.pass_time(4.0)
        else:
            raise AssertionError(f"mute: {world.state}")
        world.settle()
        assert not world.state.untold
        # At its end a conversation waits with nobody.
        assert world.state.finished or set(world.ordered) <= set(world.obeyed)
        told = [event.state for event in world.told if isinstance(event, StateChanged)]
        assert not told or told[-1] is world.state.state


SETTINGS = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_a_session_keeps_its_promises_whatever_happens() -> None:
    run_state_machine_as_test(Sessions, settings=SETTINGS)


@pytest.mark.slow
def test_and_longer_sessions_do() -> None:
    run_state_machine_as_test(
        Sessions, settings=settings(SETTINGS, max_examples=200, stateful_step_count=45)
    )
