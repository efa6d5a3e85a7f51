"""Seconds: solver, encoder and decoder, side by side with what others need.

Uses public names of the codec. `dinp.benchmarks.speed.command` is its command line.
"""
