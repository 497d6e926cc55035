"""Samples, files and rates."""
