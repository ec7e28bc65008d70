"""Numba on the processor: explicit vectors, kernels compiled at their first call, threads."""
