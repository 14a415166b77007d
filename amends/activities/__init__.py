"""Activities: how one is defined, and how an attempt at it runs."""
