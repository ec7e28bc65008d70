"""tfngen: exact mathematics in, fast readable kernels out, for Tensor Field Networks."""

__version__ = "0.1.0"
