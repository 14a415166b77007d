"""What commands tell of paused sagas."""
