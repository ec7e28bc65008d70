"""What a package says of the convolutions it was made for, and a generic one of making any."""

from __future__ import annotations

import json
from typing import Any

from tfngen.spec import BuildSpec


def convolution_values(spec: BuildSpec) -> dict[str, Any]:
    """The part of the package template's values that depends on `spec.convolutions`."""
    if not spec.convolutions:
        return {
            "construction": "Convolution(irreps_in, irreps_filter, irreps_out)",
            "channels": f"{spec.channels} channels",
            "convolution_list": "",
            "convolutions": [],
        }
    first, _ = spec.convolutions[0]
    return {
        "construction": f'convolution("{first}")',
        "channels": "the mean channels of its uses",
        "convolution_list": _convolution_list(spec),
        "convolutions": [
            f'"{name}": ({", ".join(map(json.dumps, convolution.texts))})'
            for name, convolution in spec.convolutions
        ],
    }


def _convolution_list(spec: BuildSpec) -> str:
    """Each convolution's irreps, paths and weights, as a literal block of the package's docstring."""
    blocks = []
    for name, convolution in spec.convolutions:
        irreps_in, irreps_filter, _ = convolution.texts
        weights = [each.channels for each in convolution.paths]
        paths = f"{len(weights)} path{'' if len(weights) == 1 else 's'}"
        blocks.append(
            f"    {name}\n"
            f"        irreps_in      {irreps_in}\n"
            f"        irreps_filter  {irreps_filter}\n"
            f"        irreps_out     {convolution.irreps_produced}\n"
            f"        weight_numel   {sum(weights)}, on {paths} between irreps"
        )
    return "\n".join(blocks)
