"""Rate against distortion: codecs, runs, curves, tables, plots, the HTML report.

Uses public names of the codec. `dinp.benchmarks.rd.command` is its command line.
"""
