"""The networks, a file for each family; registry.py builds them by key, weights/ loads them. Nothing here trains."""
