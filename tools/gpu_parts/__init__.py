"""The parts of tools/gpu_proof.py, each of which measures one thing on the GPU, in a process of its own."""
