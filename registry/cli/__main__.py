"""`python -m registry.cli`: the command without its script."""

from registry.cli.app import main

main()
