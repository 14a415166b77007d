"""What remains of a saga becomes messages in the broker."""
