"""What stages of several branches cost: the wait at their join, the items of a list, and the scripts beyond those of steps."""
