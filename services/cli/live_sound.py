"""Where the candidate's voice comes from and the interviewer's goes: files, or this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.cli.sound_card import Loudspeaker, Microphone

if TYPE_CHECKING:
    # Loads the sound system, for those who talk themselves.
    from services.cli.sound_devices import DeviceLoudspeaker, DeviceMicrophone


@dataclass(frozen=True, slots=True)
class Sound:
    """Both sides; the rate at which the loudspeaker wants its samples, None for the voice's."""

    microphone: Microphone | DeviceMicrophone
    loudspeaker: Loudspeaker | DeviceLoudspeaker
    loudspeaker_hz: int | None = None


@contextmanager
def live_sound(*, live: bool) -> Iterator[Sound]:
    """Both sides; `live` opens this machine's devices.

    Raises:
        NoSoundDevice: It has none.
    """
    if not live:
        yield Sound(Microphone(), Loudspeaker())
        return
    from services.cli.sound_devices import PLAYBACK_HZ, DeviceLoudspeaker, DeviceMicrophone

    with DeviceLoudspeaker() as loudspeaker:
        yield Sound(DeviceMicrophone(), loudspeaker, PLAYBACK_HZ)
