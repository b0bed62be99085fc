"""`python -m cnnbench` is `cnnbench`, for launchers that start modules (torchrun -m cnnbench train ...)."""

from cnnbench.cli.main import main

if __name__ == "__main__":
    main()
