"""The schema of every key, and the checks of values and of whole configs. Imports no torch."""
