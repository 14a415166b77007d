"""What templates draw: data of the log in words, shares and rows."""
