"""The question bank and how a question is found."""
