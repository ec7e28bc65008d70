"""The equivariant nonlinearity: it scales each channel by a function of its length."""

from __future__ import annotations

import torch
from torch import nn

from tfngen.irreps import Irreps
from tfngen.nn.radial import ShiftedSoftplus, positive
from tfngen.nn.self_interaction import SCALAR
from tfngen.runtime.convolution import as_features
from tfngen.runtime.features import Features


class NormNonlinearity(nn.Module):
    """η(V + b_c) for even scalars, η(‖V‖ + b_c) · V/‖V‖ for all else (arXiv:1802.08219, §4.3).

    ‖V‖_ac = √(Σ_m V_acm² + ε²), so that value and derivatives of every order are finite at V = 0, where the
    result is 0. The paper's text multiplies by V; its published code, like this layer, by V/‖V‖: set
    `normalize=False` for the text. An odd scalar changes sign in a mirror and so counts as a vector of one
    component. Biases start at zero and are named by irrep: ``bias.1o``.

    Args:
        irreps: the features, in and out.
        activation: η, shifted softplus by default.
        normalize: whether V is divided by its length.
        epsilon: ε, in the unit of the features; the published code's 1e-4 by default.
    """

    def __init__(
        self,
        irreps: Irreps | str,
        activation: nn.Module | None = None,
        normalize: bool = True,
        epsilon: float = 1e-4,
    ) -> None:
        super().__init__()
        self.irreps = Irreps.parse(irreps).regroup()
        self.activation = ShiftedSoftplus() if activation is None else activation
        self.normalize, self.epsilon = normalize, positive("epsilon", epsilon)
        self.bias = nn.ParameterDict(
            {str(irrep): nn.Parameter(torch.zeros(multiplicity)) for multiplicity, irrep in self.irreps}
        )

    def reset_parameters(self) -> None:
        """Set the biases back to zero."""
        for bias in self.bias.values():
            nn.init.zeros_(bias)

    def forward(self, features: Features) -> Features:
        """V (points, channels, 2l+1) for each irrep → the same shapes.

        Raises:
            ValueError: the features' irreps are not `irreps`.
        """
        features = as_features("features", features, self.irreps)
        results = []
        for _, irrep in self.irreps:
            tensor, bias = features[irrep], self.bias[str(irrep)][:, None]
            if irrep == SCALAR:
                results.append(self.activation(tensor + bias))
                continue
            norm = ((tensor * tensor).sum(-1, keepdim=True) + self.epsilon**2).sqrt()
            gain = self.activation(norm + bias)
            results.append(tensor * (gain / norm if self.normalize else gain))
        return Features._of([irrep for _, irrep in self.irreps], results)

    def extra_repr(self) -> str:
        return f"{self.irreps}, normalize={self.normalize}, epsilon={self.epsilon:g}"
