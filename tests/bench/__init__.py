"""Benchmarks: ratios measured in one run, printed for people; no test asserts a time."""
