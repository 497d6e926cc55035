"""What the candidate's words are meant as."""
