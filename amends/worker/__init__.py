"""What every worker runs beside its pool."""
