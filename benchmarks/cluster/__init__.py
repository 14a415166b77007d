"""What a saga costs each node of a cluster, by count, against one Redis."""
