"""How much may be under way at the same time, for all and for each."""

from __future__ import annotations

import pytest

from services.runtime.at_once import AtOnce
from services.runtime.errors import Busy


def limited(most: int, most_each: int) -> AtOnce:
    return AtOnce(most, most_each, full=lambda: Busy("all"), own_full=lambda: Busy("own"))


def test_one_caller_has_so_many_and_others_have_theirs() -> None:
    doing = limited(3, 2)
    with doing.begun("ann"), doing.begun("ann"):
        with pytest.raises(Busy, match="own"), doing.begun("ann"):
            pass
        with doing.begun("bob"), pytest.raises(Busy, match="all"), doing.begun("carol"):
            pass


def test_what_is_over_counts_no_more_however_it_ended() -> None:
    doing = limited(1, 1)
    with pytest.raises(RuntimeError), doing.begun("ann"):
        raise RuntimeError
    with doing.begun("ann"):
        pass
    assert not doing._under_way
