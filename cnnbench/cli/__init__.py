"""The command line: commands, Hydra, help, hints."""
