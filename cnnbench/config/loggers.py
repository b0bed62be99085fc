"""Where the figures of a run can go beside the terminal and metrics.jsonl: training/loggers/ has the loggers."""

LOGGERS: dict[str, str] = {
    "tensorboard": "curves, augmented images, first filters, the config beside the final errors",
    "trace": "trace.json, a few steps of the loop by torch's profiler, and its costliest operators",
}
