"""Optimisers that torch has not: one class per file, with its source."""
