"""The commands on schedules."""
