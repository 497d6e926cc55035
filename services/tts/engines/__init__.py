"""One file an engine; each makes a `services.tts.speech.Synthesizer`."""
