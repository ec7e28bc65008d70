"""Kernels for the CPU, one module a path; compiled when first called."""
