"""The audit trail: a journal before the call, a signed SM3 chain in the database after it."""
