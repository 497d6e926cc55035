"""How many sockets one user may hold, and one address.

A token is verified by Envoy, not here: until the server has answered, a socket counts on its
address, whoever its token says it is. Else a stranger could use up a user's with tokens that are
none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from edge.gateway.bridge.closing import Close, Ended
from edge.gateway.bridge.settings import BridgeSettings
from services.runtime.network import network


class Full(Exception):
    """An address has as many sockets as it may have."""


class Seats:
    """Counts the sockets there are."""

    def __init__(self, settings: BridgeSettings) -> None:
        """Takes the limits."""
        self._settings = settings
        self._addresses = Counter[str]()
        self._nobodys = Counter[str]()
        self._users = Counter[str]()

    @contextmanager
    def taken(self, address: str) -> Iterator[Seat]:
        """One socket's, until the scope ends.

        Raises:
            Full: The address holds as many as it may.
        """
        place = network(address)
        settings = self._settings
        if self._addresses[place] >= settings.max_sockets_of_address:
            raise Full(f"{settings.max_sockets_of_address} sockets of this address are open")
        if self._nobodys[place] >= settings.max_sockets_without_user:
            raise Full(
                f"{settings.max_sockets_without_user} sockets of this address are open without a"
                " user"
            )
        seat = Seat(self, place)
        self._addresses[place] += 1
        self._nobodys[place] += 1
        try:
            yield seat
        finally:
            _less(self._addresses, place)
            if seat.user is None:
                _less(self._nobodys, place)
            else:
                _less(self._users, seat.user)

    def claim(self, user: str) -> None:
        """Sees whether a user may have one more.

        Raises:
            Ended: They hold as many as they may.
        """
        if self._users[user] >= self._settings.max_sockets_of_user:
            raise Ended(
                Close.TOO_MANY,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{self._settings.max_sockets_of_user} sockets of this user are open; close one",
            )

    def give(self, seat: Seat, user: str) -> None:
        """Counts the socket as a user's from now on.

        Raises:
            Ended: They hold as many as they may.
        """
        self.claim(user)
        _less(self._nobodys, seat.place)
        self._users[user] += 1
        seat.user = user


class Seat:
    """One socket's.

    Attributes:
        place: Whose address it comes from.
        user: Whose it is, once that is known.
    """

    def __init__(self, seats: Seats, place: str) -> None:
        """Takes where it is counted."""
        self._seats = seats
        self._claimed: str | None = None
        self.place = place
        self.user: str | None = None

    def claim(self, user: str | None) -> None:
        """The socket's token says whose it is; None: it does not.

        Raises:
            Ended: They hold as many as they may: nothing is begun that could not go on.
        """
        if user is not None:
            self._seats.claim(user)
        self._claimed = user

    def let_in(self) -> None:
        """The server has answered: the token is good.

        Raises:
            Ended: Its user holds as many as they may; several were opened at the same moment.
        """
        if self._claimed is not None:
            user, self._claimed = self._claimed, None
            self._seats.give(self, user)


def _less(counter: Counter[str], key: str) -> None:
    """Counts one less, and keeps nobody of whom there are none."""
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
