"""What every request to a model goes through: who, how much, which grade, what is kept."""
