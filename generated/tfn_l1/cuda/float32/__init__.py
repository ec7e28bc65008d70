"""float32 kernels for the CUDA, one module a path; compiled when first called."""
