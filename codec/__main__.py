"""`python -m dinp` is the command `dinp`."""

from dinp.cli import main

main()
