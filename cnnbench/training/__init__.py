"""The training loop and what it uses: state, optimisers, schedules, losses, averages, monitor, preemption, loggers."""
