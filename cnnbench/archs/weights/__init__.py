"""Weights of others and our own: read, renamed, identified, loaded."""
