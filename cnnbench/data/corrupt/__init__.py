"""ImageNet-C's corruptions, computed from the images instead of read from a copy of 6 million."""
