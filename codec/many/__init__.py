"""Many files: which output each input has, the work on one of them, and what shares the work out.

Of the face: it may import everything.
"""
