"""Ways to choose an inpainting mask: learned, analytic, searched; and how masks are judged.

May import the codec and `dinp.models.weights`.
"""
