"""Is the answer right, and is each citation?"""
