"""Benchmarks: runs, results as JSON, plots."""
