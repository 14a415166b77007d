"""The saga log: one Lua script for each transition, and the reads."""
