"""Ended sagas on their way to an archive: what the log knows of that, and their reads."""
