"""What `cnnbench train` would do, without doing it."""
