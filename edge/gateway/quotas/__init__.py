"""What users may use, and how much of it they have used."""
