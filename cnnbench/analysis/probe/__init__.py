"""`cnnbench probe`: how well a linear classifier tells classes apart by the layers of a trained network."""
