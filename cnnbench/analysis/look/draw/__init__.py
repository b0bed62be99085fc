"""The pictures of `cnnbench look`, drawn. Importing a module here imports matplotlib, which is slow."""
