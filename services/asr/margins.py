"""Audio around speech that is decoded with it, live and in whole recordings alike.

Short turns are heard differently with a tenth of a second more or less around them: the same
speech has the same text only with the same margins.
"""

from services.asr.engines.engine import SAMPLE_RATE
from services.asr.vad import FRAME

PRE_ROLL = round(0.3 * SAMPLE_RATE)
"""Samples before the first speech frame: the voice activity notices soft beginnings late."""
PAUSE_FRAMES = 4
"""Frames of silence (128 ms) after which a pause is decoded as if it were the end."""
TAIL = PAUSE_FRAMES * FRAME
"""Samples after the last speech frame: what is there as soon as a pause is decoded."""
