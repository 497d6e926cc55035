"""Which voices speak in which styles, remembered over a restart."""

from __future__ import annotations

import asyncio
import json
import os
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from services.tts.styles import Style

# Enough for a few personas in every style; the least recently used are forgotten.
_MOST = 24


class Use(NamedTuple):
    """A voice in a style.

    Attributes:
        voice: The voice's name.
        style: The style.
    """

    voice: str
    style: Style


class VoicesInUse:
    """The uses that callers make of the voices, the latest last."""

    def __init__(self, file: Path | None = None) -> None:
        """Takes where they are remembered; what cannot be read there is forgotten."""
        self._file = file
        self._uses: OrderedDict[Use, None] = OrderedDict.fromkeys(_read(file) if file else [])
        self._changed = asyncio.Event()

    def all(self) -> list[Use]:
        """The uses, the latest first."""
        return list(reversed(self._uses))

    def note(self, use: Use) -> None:
        """Takes note of a use."""
        if use not in self._uses:
            self._changed.set()
        self._uses[use] = None
        self._uses.move_to_end(use)
        if len(self._uses) > _MOST:
            self._uses.popitem(last=False)

    async def changed(self) -> None:
        """Waits for a use that is new, and has the uses remembered.

        Raises:
            OSError: They cannot be written.
        """
        await self._changed.wait()
        self._changed.clear()
        if self._file is not None:
            await asyncio.to_thread(_write, self._file, list(self._uses))


def _write(file: Path, uses: list[Use]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(f".{file.name}.{os.getpid()}")
    scratch.write_text(json.dumps([[use.voice, use.style.value] for use in uses]), "utf-8")
    scratch.replace(file)


def _read(file: Path) -> list[Use]:
    try:
        stored = json.loads(file.read_text("utf-8"))
        return [Use(str(voice), Style(style)) for voice, style in stored]
    except (OSError, ValueError, TypeError):
        # Absent, or damaged: the uses are noted anew.
        return []
