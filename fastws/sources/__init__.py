"""One file a feed: the outside world becomes calls on the domain."""
