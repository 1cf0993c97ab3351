"""`/v1/responses` on top of chat completions, which is all that engines speak."""
