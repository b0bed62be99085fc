"""`cnnbench describe`: a network layer by layer, and a recipe epoch by epoch."""
