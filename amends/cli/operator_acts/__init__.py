"""The list of what operators did, on the command line."""
