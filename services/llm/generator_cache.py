"""A CTranslate2 generator and the conversation beginnings it has computed.

CTranslate2 keeps the state of a static prompt for as long as the model is loaded and offers no way
to drop one (`DecoderStateCache` in its language_model.cc only grows). So this counts what is kept
and, when the budget is spent, loads the model anew, 0.1 s for a small one; batches that still run
on the old one finish on it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from services.llm.memory import return_freed_memory


@dataclass(slots=True, eq=False)
class Lease:
    """A generator to compute on, and a prefix it keeps.

    Attributes:
        generator: The `ctranslate2.Generator`.
        computed: Prefixes this generator has computed, shared between leases.
        prefix: Token ids of this lease's; empty for none.
    """

    generator: Any
    computed: set[tuple[int, ...]]
    prefix: tuple[int, ...]

    @property
    def reused(self) -> int:
        """Tokens that need not be computed again."""
        return len(self.prefix) if self.prefix in self.computed else 0

    def mark_computed(self) -> None:
        """Says that the generator has the prefix now."""
        if self.prefix:
            self.computed.add(self.prefix)


@dataclass(slots=True, eq=False)
class _Loaded:
    generator: Any
    promised: set[tuple[int, ...]] = field(default_factory=set)
    computed: set[tuple[int, ...]] = field(default_factory=set)

    @property
    def tokens(self) -> int:
        return sum(map(len, self.promised))


class GeneratorCache:
    """Hands out the generator; safe to use from several threads."""

    def __init__(self, load: Callable[[], Any], budget: int) -> None:
        """Sets the cache up; the generator is loaded at its first lease.

        Args:
            load: Makes a `ctranslate2.Generator`.
            budget: Tokens of prefixes to keep.
        """
        self._load = load
        self._budget = budget
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    def lease(self, prefix: tuple[int, ...]) -> Lease:
        """The generator that keeps `prefix`, at most the budget long, from its first use on."""
        with self._lock:
            loaded = self._loaded
            if loaded is None:
                loaded = self._loaded = _Loaded(self._load())
            if prefix and prefix not in loaded.promised:
                if loaded.tokens + len(prefix) > self._budget:
                    loaded = self._loaded = _Loaded(self._load())
                    return_freed_memory()
                loaded.promised.add(prefix)
            return Lease(loaded.generator, loaded.computed, prefix)
