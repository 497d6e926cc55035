"""The live loop: hearing, turn taking, speaking, playback."""
