"""What `saga stuck` says beside its list: the causes, what is paused, and whether anybody works."""
