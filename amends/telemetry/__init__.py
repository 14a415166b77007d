"""What is told of each transition: log lines, signals, rows in Flower, metrics."""
