"""`cnnbench export`: a trained network as a file that other programs read."""
