"""Optimisers that torch lacks: one class per file, with its source."""
