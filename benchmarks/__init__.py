"""Catch-up beside other clients, on one machine, in one run: `python -m benchmarks --help`, or README.md."""
