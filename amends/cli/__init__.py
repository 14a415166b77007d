"""``celery saga ...``: one module for each family of commands; ``amends_commands`` loads it by name."""
