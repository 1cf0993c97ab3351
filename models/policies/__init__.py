"""Which upstream, when, and what then. Each wraps `Opens` or `Routes`, or orders upstreams."""
