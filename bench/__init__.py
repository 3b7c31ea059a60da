"""Figures that take minutes: ``python -m bench [name …]`` or ``make bench``."""
