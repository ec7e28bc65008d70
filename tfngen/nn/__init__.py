"""Torch modules of tensor field networks (Thomas et al., arXiv:1802.08219), on top of generated kernels."""

from tfngen.nn.cartesian import cartesian_to_irreps, irreps_to_cartesian
from tfngen.nn.convolution import Convolution
from tfngen.nn.geometry import Geometry
from tfngen.nn.network import InteractionLayer, TensorFieldNetwork
from tfngen.nn.nonlinearity import NormNonlinearity
from tfngen.nn.pooling import Pooling
from tfngen.nn.radial import (
    BesselBasis,
    CosineBasis,
    CosineCutoff,
    GaussianBasis,
    PolynomialCutoff,
    RadialBasis,
    RadialNetwork,
    ShiftedSoftplus,
)
from tfngen.nn.self_interaction import SelfInteraction
from tfngen.nn.weights import load, save

__all__ = [
    "BesselBasis",
    "Convolution",
    "CosineBasis",
    "CosineCutoff",
    "GaussianBasis",
    "Geometry",
    "InteractionLayer",
    "NormNonlinearity",
    "PolynomialCutoff",
    "Pooling",
    "RadialBasis",
    "RadialNetwork",
    "SelfInteraction",
    "ShiftedSoftplus",
    "TensorFieldNetwork",
    "cartesian_to_irreps",
    "irreps_to_cartesian",
    "load",
    "save",
]
