"""Callers share a server's calls: however many some make, there is a place for who has none."""

from __future__ import annotations

from collections.abc import Callable
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


def test_an_address_that_calls_as_no_user_is_one_and_has_what_a_user_has() -> None:
    places = CallPlaces(MOST)
    with ExitStack() as held:
        assert fill(places, Request(address="192.0.2.1", caller="192.0.2.1"), held) == 118
        assert fill(places, Request(address="192.0.2.1", caller="another"), held) == 0
        # Of which a user who calls from there has their own.
        ann = Request(user="ann", address="192.0.2.1", caller="user:ann")
        assert fill(places, ann, held) > 100


def test_the_addresses_of_one_ipv6_network_are_one() -> None:
    places = CallPlaces(MOST)
    with ExitStack() as held:
        assert fill(places, Request(address="2001:db8::1", caller="2001:db8::1"), held) == 118
        assert fill(places, Request(address="2001:db8::2", caller="2001:db8::2"), held) == 0
        assert fill(places, Request(address="2001:db8:0:1::1", caller="another"), held) > 100


def address(n: int) -> Request:
    """A call from outside, by nobody who is known."""
    return Request(address=f"192.0.2.{n}", caller=f"192.0.2.{n}")


def program(n: int) -> Request:
    """A call of a program of the mesh."""
    return Request(caller=f"127.0.0.1:{n}")


@pytest.mark.parametrize(
    ("most", "kind", "callers"),
    [
        (2000, user, 89),
        (2000, address, 89),
        (2000, program, 46),
        (100, user, 18),
        (100, program, 8),
    ],
)
def test_it_takes_so_many_callers_who_take_all_they_can_to_fill_it(
    most: int, kind: Callable[[int], Request], callers: int
) -> None:
    places, taken = CallPlaces(most), [0]
    with ExitStack() as held:
        while sum(taken) < most:
            taken.append(fill(places, kind(len(taken)), held))
            assert taken[-1]
    assert len(taken) - 1 == callers


@pytest.mark.parametrize("hogs", [1, 20, 50])
def test_who_comes_late_is_taken_though_others_hold_all_they_can(hogs: int) -> None:
    places = CallPlaces(MOST)
    with ExitStack() as held:
        for n in range(hogs):
            fill(places, user(n), held)
        assert fill(places, user("late"), held) >= 5
        assert fill(places, Request(caller="127.0.0.1:40312"), held) >= 5


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
