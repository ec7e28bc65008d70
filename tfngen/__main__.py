"""``python -m tfngen``: the command line."""

from tfngen.cli import main

main()
