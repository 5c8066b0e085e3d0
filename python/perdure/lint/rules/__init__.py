"""The rules, a family a file: each has its rules, and one function that judges a node."""
