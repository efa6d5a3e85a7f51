"""The weights that ship with the package, and the code that loads and saves them.

May import the networks and the codec.
"""
