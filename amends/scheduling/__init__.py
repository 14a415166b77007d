"""Schedules: sagas that start again and again, by the sweeps of workers."""
