"""What the platform means: rooms over hub and store that know no sockets and no JSON."""
