"""Other people's models on generated kernels: `accelerate` for whole models, one file per neighbour.

`tfngen.interop.e3nn` has e3nn's tensor products and spherical harmonics, `tfngen.interop.layout` the ways in
which packages lay irreps out in memory. Nothing here changes what a model computes, or where its weights are.
"""

from tfngen.interop.acceleration import Report, accelerate

__all__ = ["Report", "accelerate"]
