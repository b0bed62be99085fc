"""`cnnbench corruptions`: the errors on ImageNet-C's 15 corruptions, of any images."""
