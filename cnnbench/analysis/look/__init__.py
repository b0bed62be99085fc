"""`cnnbench look`: pictures of what a trained network has learned and of what it sees in an image."""
