"""What is in a file: container, sections, mask structures, steps.

Reads and writes, decides nothing. May import `dinp.entropy`, `dinp.errors` and `dinp.limits`; knows nothing of the
encoder.
"""
