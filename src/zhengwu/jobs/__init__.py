"""The job table and the loop that works on it."""
