"""`cnnbench report`: what run folders hold, beside what was published, as pages, tables and pictures."""
