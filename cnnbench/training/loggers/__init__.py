"""Where the figures and pictures of a run go: one file for each kind, behind the protocol in logger.py."""
