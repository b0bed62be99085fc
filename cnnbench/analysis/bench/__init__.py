"""`cnnbench bench`: measured speed."""
