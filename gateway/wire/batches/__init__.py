"""`/v1/batches`: many requests, run by the worker when the pool has nothing better to do."""
