"""Ask a service from Python, without torch."""

from hydrascope.client.client import Client
from hydrascope.client.connection import AnswerError

__all__ = ["AnswerError", "Client"]
