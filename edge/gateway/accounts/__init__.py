"""Accounts: who users are, how they prove it, and what is done with what is theirs."""
