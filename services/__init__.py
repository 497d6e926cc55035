"""Viva: a gRPC model-serving mesh and spoken practice interviews."""

__version__ = "0.1.0"
