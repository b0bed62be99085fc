"""The project's own decoder and resize, in C; jpeg.h says which file does what, library.py how Python calls it."""
