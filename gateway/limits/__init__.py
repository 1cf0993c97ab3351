"""Counts what callers take under their limits: exactly, over every gateway, through every crash."""
