"""Callers share a server's calls: however many some make, there is a place for who has none."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from services.runtime.call_places import CallPlaces
from services.runtime.errors import Overloaded
from services.runtime.request import Request

MOST = 2000


def user(name: int | str) -> Request:
    """A call of a user's; each from a connection of its own."""
    return Request(user=str(name), caller=f"10.0.0.1:{name}")


def fill(places: CallPlaces, request: Request, held: ExitStack) -> int:
    """Takes places until one is refused; how many there were."""
    taken = 0
    while True:
        try:
            held.enter_context(places.taken(request))
        except Overloaded:
            return taken
        taken += 1


def test_one_user_may_have_a_small_part() -> None:
    with ExitStack() as held:
        assert fill(CallPlaces(MOST), user("one"), held) == 118


def test_a_user_is_one_wherever_they_call_from() -> None:
    places = CallPlaces(MOST)
    with ExitStack() as held:
        fill(places, user("one"), held)
        assert fill(places, Request(user="one", caller="10.0.0.2:5"), held) == 0


def test_a_program_of_the_mesh_may_have_three_quarters() -> None:
    with ExitStack() as held:
        assert fill(CallPlaces(MOST), Request(caller="127.0.0.1:40312"), held) == 1500


@pytest.mark.parametrize("hogs", [1, 20, 50])
def test_who_comes_late_is_taken_though_others_hold_all_they_can(hogs: int) -> None:
    places = CallPlaces(MOST)
    with ExitStack() as held:
        for n in range(hogs):
            fill(places, user(n), held)
        assert fill(places, user("late"), held) >= 8
        assert fill(places, Request(caller="127.0.0.1:40312"), held) >= 8


def test_no_more_run_than_the_server_takes() -> None:
    places = CallPlaces(4)
    with ExitStack() as held:
        assert fill(places, user("one"), held) == 4
        with pytest.raises(Overloaded, match="the server runs 4 calls, its limit"):
            held.enter_context(places.taken(user("late")))
    with ExitStack() as held:
        assert fill(places, user("late"), held) == 4


def test_what_is_given_back_is_forgotten() -> None:
    places = CallPlaces(4)
    with places.taken(user("one")):
        pass
    assert not places._held
