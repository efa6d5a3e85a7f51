"""How networks and context tables are trained: data, labels, losses, runs.

May import everything but the face and the benchmarks; nothing but the command line imports it.
"""
