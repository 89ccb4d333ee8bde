"""`python -m latelier`: the command line."""

from latelier.cli.main import main

main()
