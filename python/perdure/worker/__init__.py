"""Workers: host workflows and activities."""

from perdure.worker._nats import find_nats_server, running_nats_server
from perdure.worker._options import NatsOptions, StdioService
from perdure.worker._worker import Worker

__all__ = ["NatsOptions", "StdioService", "Worker", "find_nats_server", "running_nats_server"]
