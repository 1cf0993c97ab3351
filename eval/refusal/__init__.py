"""Does the path know when it cannot answer?"""
