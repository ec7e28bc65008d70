"""Kernels on NVIDIA GPUs: what generated code imports, how it is compiled, loaded and launched."""
