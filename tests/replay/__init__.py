"""Laws of replay."""
