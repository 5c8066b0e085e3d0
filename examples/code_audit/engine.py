"""The engine as a process of its own, for the driver that kills it.

`python -m examples.code_audit.engine ROOT FOLDER` runs the audit, or goes on with it. Where the
nats-server is stands in the environment, as for the foreign workers.
"""

import asyncio
import sys
from pathlib import Path

from examples.code_audit.session import Session

# The process pool's children import this module too.
if __name__ == "__main__":
    root, folder = map(Path, sys.argv[1:])
    asyncio.run(Session(root, folder).run())
