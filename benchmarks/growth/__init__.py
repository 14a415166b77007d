"""How the cost of a saga grows: with others in the log, with its steps, its payload, and the workers."""
