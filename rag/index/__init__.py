"""What is searched: full text, vectors, and the generation that publishes both."""
