"""Practice in speaking a language: conversation on topics, and what could be said better."""
