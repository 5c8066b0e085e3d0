"""Figures of the whole engine, each module a process of its own."""
