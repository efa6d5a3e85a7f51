"""A second decoder: slow, plain Python, written from docs/format.md alone. Nothing here comes from the codec.

It is a test that the document is complete. A module stands for some sections of it and says which.
"""
