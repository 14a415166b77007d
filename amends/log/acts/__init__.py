"""The list of what operators did, over all sagas, circuits and schedules."""
