"""Where encoded images or pixels lie: files, packed files, archives, URLs."""
