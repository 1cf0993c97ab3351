"""A citizen's question, from guard to record."""
