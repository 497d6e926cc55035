"""`viva bench turn`: from the end of speech to the answer, beside a floor and beside Pipecat."""
