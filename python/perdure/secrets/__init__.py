"""Secrets: typed references that travel by name, and where activities find their values."""

from perdure.secrets._provider import EnvironmentSecrets, SecretProvider
from perdure.secrets._secret import Secret

__all__ = ["EnvironmentSecrets", "Secret", "SecretProvider"]
