"""The interviewer's brain: decide, ask, analyse, summarise."""
