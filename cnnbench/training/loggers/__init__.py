"""What a run tells, and where: the terminal, metrics.jsonl, TensorBoard."""
