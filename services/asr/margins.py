"""Audio around speech that is decoded with it, live and in whole recordings alike.

Short turns are heard differently with a tenth of a second more or less around them: the same
speech has the same text only with the same margins. Where a recording or stream begins with speech,
there was quiet before it: Whisper loses words that begin where its window does.
"""

import numpy as np

from services.asr.engines.engine import SAMPLE_RATE, Float32
from services.asr.vad import FRAME

PRE_ROLL = round(0.3 * SAMPLE_RATE)
"""Samples before the first speech frame: the voice activity notices soft beginnings late."""
BEFORE_ALL: Float32 = np.zeros(PRE_ROLL, dtype=np.float32)
"""What is decoded in the place of what was before the first sample."""
PAUSE_FRAMES = 4
"""Frames of silence (128 ms) after which a pause is decoded as if it were the end."""
TAIL = PAUSE_FRAMES * FRAME
"""Samples after the last speech frame: what is there as soon as a pause is decoded."""
