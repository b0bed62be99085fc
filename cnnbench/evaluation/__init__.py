"""Exact counts of errors: test protocols, ensembles, statistics."""
