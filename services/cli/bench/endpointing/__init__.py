"""When has the candidate finished: the data, the fit, the judgement."""
