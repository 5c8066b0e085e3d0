"""One workflow run on its own deterministic asyncio loop."""
