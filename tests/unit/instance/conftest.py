"""The process that these tests run in is one that has had a worker."""

from __future__ import annotations

from perdure.instance._determinism import install_determinism

install_determinism()
