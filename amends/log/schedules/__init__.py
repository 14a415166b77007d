"""Schedules in the log: what is known of each, and its transitions."""
