"""float64 kernels for NVIDIA GPUs, one module an input degree; compiled when first called."""
