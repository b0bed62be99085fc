"""`cnnbench features`: the values of layers as files, and the nearest neighbours of pictures."""
