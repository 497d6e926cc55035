"""Speech to text: whole recordings and live streams with end-of-turn detection."""
