"""Personal data: found by structure, masked in everything that is kept."""
