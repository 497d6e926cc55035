"""Spoken practice interviews on top of the model servers."""
