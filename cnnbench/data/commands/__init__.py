"""`cnnbench data ...`: one module per command."""
