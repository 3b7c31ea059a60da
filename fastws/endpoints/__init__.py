"""One file an endpoint: wire messages in, domain calls, replies out."""
