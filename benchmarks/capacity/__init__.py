"""How many sagas a second so many primaries carry: measured costs of the log, and a model of its nodes."""
