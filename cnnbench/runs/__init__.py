"""What lies in a run folder: written and read here alone."""
