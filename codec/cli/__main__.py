"""`python -m dinp.cli` is the command `dinp`."""

from dinp.cli import main

main()
