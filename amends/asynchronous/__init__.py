"""Between event loops and code that blocks: calls of coroutines in threads, and coroutines in threads without a loop."""
