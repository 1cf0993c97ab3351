"""`zhengwu bench limits`: gateways push at the same limits, a ledger is held to them."""
