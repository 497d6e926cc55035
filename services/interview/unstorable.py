"""Interviews that cannot be stored while the store works: each of them is laid aside, alone.

That the store renews leases does not show that it works: a full disk, or a standby that answers no
commit, refuses everybody's commits alone. So before anybody is laid aside the store has to take as
large a write of something else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

MOST_FAILURES = 12
"""Commits that may fail in a row while the store answers: half a minute of being refused at once,
with the time between attempts, or a minute and a half of not being answered."""


class Unstorable:
    """Counts, from one sign that the store may work to the next."""

    def __init__(self) -> None:
        # Of each that fails now: how often it had failed when the store was first seen to work.
        self._since: dict[str, int] = {}

    def failed(self) -> None:
        """The store does not work: nobody is to blame for what fails with it."""
        self._since.clear()

    def worked(self, failures: Mapping[str, int]) -> Sequence[str]:
        """The store answers: which interviews' commits have failed too often since it does.

        Args:
            failures: In a row, of each interview that is driven here.
        """
        failing = {name: count for name, count in failures.items() if count}
        self._since = {
            name: min(count, self._since.get(name, count)) for name, count in failing.items()
        }
        return [
            name for name, count in failing.items() if count - self._since[name] >= MOST_FAILURES
        ]
