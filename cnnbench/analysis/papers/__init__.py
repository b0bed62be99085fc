"""What papers published, and runs held against it."""
