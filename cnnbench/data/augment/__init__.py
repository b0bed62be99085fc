"""What may happen to training images, uint8: the crop, and one file per operation."""
