"""What requests cost, in money, energy and emissions, and the sums of it."""
