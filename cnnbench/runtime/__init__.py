"""What the process and the machine are: errors, files, text, progress, processes, signals, precision, devices."""
