"""The recognition engines, one file each behind the Protocol in `engine.py`."""
