"""How public weight files name what the networks here have: a file per kind of publisher, joined by tables.py."""
