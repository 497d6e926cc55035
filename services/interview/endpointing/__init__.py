"""Whether the candidate has finished."""
