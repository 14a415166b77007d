"""Why a saga is where it is, what happens next, and what a person can do: read from the log, as facts."""
