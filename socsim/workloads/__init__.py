"""What runs: networks, their costs, inference libraries and applications."""
