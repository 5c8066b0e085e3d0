"""Which version of the package this is."""

from importlib import metadata

__all__ = ["perdure_version"]


def perdure_version() -> str:
    """The installed version; a checkout that is not installed has none."""
    try:
        return metadata.version("perdure")
    except metadata.PackageNotFoundError:
        return "(not installed)"
