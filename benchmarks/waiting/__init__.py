"""What sagas cost that wait: for signals, which then come all at once, and for times that are due in one second."""
