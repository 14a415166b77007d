"""The sagas of the order system: which steps, in which order, and what undoes each."""
