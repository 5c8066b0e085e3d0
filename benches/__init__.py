"""The benchmarks: `python -m benches [--fast]`. See `benches/README.md` for the method."""
