"""Engines: what generates text, each behind one Protocol."""

from services.llm.engines.engine import ChatEngine, ModelDescription

__all__ = ["ChatEngine", "ModelDescription"]
