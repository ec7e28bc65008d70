"""Kernels for the CPU, one module per path; compiled when first called."""
