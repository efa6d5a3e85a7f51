"""Masks at equal density: quality and seconds of every way to choose one.

Uses public names of models and codec. `dinp.benchmarks.masks.command` is its command line.
"""
