"""Web processes that start sagas in their own transactions, and are killed at every boundary of that."""
