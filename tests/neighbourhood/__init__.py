"""Two apps on one saga log, while a worker, a queue, the log's memory and the log itself stand still."""
