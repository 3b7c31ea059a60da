"""fastws: the realtime server of DegenDuel. Start at `fastws.server`; the map is in README.md."""

__version__ = "0.1.0"
