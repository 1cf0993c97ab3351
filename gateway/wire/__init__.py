"""More of the OpenAI wire: responses, rerank, completions, files, batches, idempotency keys."""
