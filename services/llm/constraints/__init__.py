"""Constraints: what an answer must look like, kept token by token."""

from services.llm.constraints.matcher import Matcher

__all__ = ["Matcher"]
