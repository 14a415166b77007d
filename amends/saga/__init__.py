"""`Saga` and `Step`, and the handle of a saga that was started."""
