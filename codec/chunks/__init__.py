"""Chunks of arrays, as zarr stores them, coded by dinp: for numcodecs and for zarr itself, which find it by themselves.

Of the face: it may import everything. `dinp[zarr]` installs what it needs.
"""
