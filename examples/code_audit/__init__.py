"""Audit a source tree in three languages with one crash-proof workflow."""
