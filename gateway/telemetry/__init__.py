"""What the gateway tells its operator beside the metrics of the path: states, limits, alerts."""
