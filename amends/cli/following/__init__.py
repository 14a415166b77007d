"""Following one saga as it goes."""
