"""English letters to phonemes, by espeak-ng through ctypes.

espeak-ng keeps its state in the library, one for the process: every call is made under one lock.
"""

from __future__ import annotations

import ctypes
import threading
import unicodedata

from services.runtime.errors import ResourceMissing
from services.runtime.weights import package_files
from services.tts import installing

# espeak_ng/speak_lib.h
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_PHONEMES_IPA = 0x02
_TIE = "͡"
_PHONEMES_TIE = (ord(_TIE) << 8) | 0x80

# The library is one for the process, whoever uses it.
_library_lock = threading.Lock()


class Phonemizer:
    """Pronounces text in one espeak-ng voice."""

    def __init__(self, voice: str = "en-us") -> None:
        """Loads the library.

        Args:
            voice: espeak-ng's name of the language, for example "en-us".

        Raises:
            ResourceMissing: The library or the language is not there.
        """
        folder = package_files("espeakng_loader", installing.ESPEAK_NG)
        candidates = sorted(folder.glob("libespeak-ng*")) + sorted(folder.glob("espeak-ng.dll"))
        if not candidates:
            raise ResourceMissing(f"{folder} has no espeak-ng library", "reinstall espeakng-loader")
        self._voice = voice.encode()
        with _library_lock:
            self._library = ctypes.CDLL(str(candidates[0]))
            self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
            rate = self._library.espeak_Initialize(
                _AUDIO_OUTPUT_SYNCHRONOUS,
                0,
                str(folder / "espeak-ng-data").encode(),
                _INITIALIZE_DONT_EXIT,
            )
            if rate <= 0 or self._library.espeak_SetVoiceByName(self._voice) != 0:
                raise ResourceMissing(
                    f"espeak-ng has no voice {voice!r}", "reinstall espeakng-loader"
                )

    def pronounce(self, text: str, *, tie: bool = False) -> str:
        """The IPA of a text without marks, words parted by single spaces, NFC.

        Args:
            text: Words; marks would cut it into clauses, which are joined again by spaces.
            tie: Whether a diphthong's or affricate's parts are joined by U+0361.
        """
        mode = _PHONEMES_IPA | (_PHONEMES_TIE if tie else 0)
        # The buffer ends the text with a NUL, so the text may hold none.
        buffer = ctypes.create_string_buffer(text.replace("\0", "").encode())
        position = ctypes.c_void_p(ctypes.addressof(buffer))
        clauses = []
        with _library_lock:
            self._library.espeak_SetVoiceByName(self._voice)
            while position.value:
                clause = self._library.espeak_TextToPhonemes(
                    ctypes.byref(position), _CHARS_UTF8, mode
                )
                clauses.append((clause or b"").decode("utf-8", "replace"))
        joined = " ".join(" ".join(clauses).split())
        return unicodedata.normalize("NFC", _without_language_switches(joined))


def _without_language_switches(ipa: str) -> str:
    """Drops espeak's "(fr)" marks around words it pronounced in another language."""
    kept = []
    inside = False
    for character in ipa:
        if character == "(":
            inside = True
        elif character == ")":
            inside = False
        elif not inside:
            kept.append(character)
    return "".join(kept)
