"""``python -m fastws``."""

from fastws.cli import main

main()
