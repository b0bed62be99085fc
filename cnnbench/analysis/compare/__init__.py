"""`cnnbench compare`: which of several networks is better on the same images, and how sure that is."""
