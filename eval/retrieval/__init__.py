"""Is the document that answers found first?"""
