"""Is personal data found, and is nothing else?"""
