"""When the candidate has finished."""
