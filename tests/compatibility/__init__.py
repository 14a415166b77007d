"""Two releases of amends on one saga log: what the one before left behind, and both side by side."""
