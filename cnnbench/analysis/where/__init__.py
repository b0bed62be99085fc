"""`cnnbench where`: where a network is wrong, and whether it knows."""
