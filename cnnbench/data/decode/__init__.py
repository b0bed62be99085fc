"""From the bytes of an image to the pixels of the part that is wanted."""
