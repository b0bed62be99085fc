"""Where and how networks are computed: choices that several commands share."""

DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")  # ROCm is cuda
PRECISIONS = ("auto", "float32", "bf16", "fp16")
MEMORY = ("keep", "save")
COMPILE_MODES = ("default", "reduce-overhead", "max-autotune")  # of torch.compile
