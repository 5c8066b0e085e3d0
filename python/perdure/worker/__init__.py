"""Workers: host workflows and activities."""

from perdure.worker._options import NatsOptions, StdioService
from perdure.worker._worker import Worker

__all__ = ["NatsOptions", "StdioService", "Worker"]
