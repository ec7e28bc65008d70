"""Self-interaction: mixing the channels of each irrep at each point."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from tfngen.irreps import Irrep, Irreps
from tfngen.runtime.convolution import as_features
from tfngen.runtime.features import Features

SCALAR = Irrep(0, 1)


class SelfInteraction(nn.Module):
    """V'_{acm} = Σ_c' W_cc' V_{ac'm}, plus b_c for even scalars (Thomas et al., arXiv:1802.08219, §4.2).

    The same weights act on every component m, so the layer commutes with rotations; a bias could not for
    l > 0, nor with reflections for odd scalars. Weights start normal with variance 1 / fan-in, biases at
    zero, from torch's global generator. They are named by irrep: ``weight.1o``, ``bias.0e``.

    Args:
        irreps_in: the input features; blocks of one irrep are joined.
        irreps_out: the output features; every irrep must be among the inputs.
        bias: whether even scalars get a bias.

    Raises:
        ValueError: an output irrep that no input has.
    """

    def __init__(self, irreps_in: Irreps | str, irreps_out: Irreps | str, bias: bool = True) -> None:
        super().__init__()
        self.irreps_in = Irreps.parse(irreps_in).regroup()
        self.irreps_out = Irreps.parse(irreps_out).regroup()
        self.weight, self.bias = nn.ParameterDict(), nn.ParameterDict()
        if not self.irreps_out.blocks:
            raise ValueError("irreps_out: empty; a self-interaction has at least one output")
        for multiplicity, irrep in self.irreps_out:
            if irrep not in self.irreps_in:
                raise ValueError(f"irreps_out: {irrep} is not among the inputs, {self.irreps_in}")
            fan_in = self.irreps_in.multiplicity(irrep)
            self.weight[str(irrep)] = nn.Parameter(torch.empty(multiplicity, fan_in))
            if bias and irrep == SCALAR:
                self.bias[str(irrep)] = nn.Parameter(torch.empty(multiplicity))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew from torch's global generator."""
        for weight in self.weight.values():
            nn.init.normal_(weight, std=weight.shape[1] ** -0.5)
        for bias in self.bias.values():
            nn.init.zeros_(bias)

    def forward(self, features: Features) -> Features:
        """V (points, channels, 2l+1) for each irrep of `irreps_in` → the same for `irreps_out`.

        Raises:
            ValueError: the features' irreps are not `irreps_in`.
        """
        features = as_features("features", features, self.irreps_in)
        mixed = []
        for _, irrep in self.irreps_out:
            name = str(irrep)
            channels_innermost = features[irrep].transpose(1, 2)
            mixed.append(functional.linear(channels_innermost, self.weight[name], self.bias.get(name)))
        return Features._of(
            [irrep for _, irrep in self.irreps_out], [tensor.transpose(1, 2) for tensor in mixed]
        )

    def extra_repr(self) -> str:
        return f"{self.irreps_in} → {self.irreps_out}"
