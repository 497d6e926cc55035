"""What words over the interviewer, or in an answer's place, mean."""
