"""What every comparison with e3nn shares: its product, agreement with ours, gradients, rows to report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tfngen.bench.timing import Timing
from tfngen.irreps import Irrep, Path

CONTENDERS = ("tfngen", "e3nn")
MODES = ("forward", "gradient")


@dataclass(frozen=True, slots=True)
class Row:
    """One contender in one mode."""

    mode: str
    contender: str
    milliseconds: float
    microseconds_per_edge: float
    times_faster: float
    percent_of_ceiling: float | None


def rows(timings: Mapping[str, Timing], edges: int, floor: float) -> list[Row]:
    """What was measured under the names "forward tfngen", …; `floor` is the least a forward could take."""
    return [
        Row(
            mode,
            contender,
            1e3 * (seconds := timings[f"{mode} {contender}"].median),
            1e6 * seconds / edges,
            timings[f"{mode} e3nn"].median / seconds,
            100 * floor / seconds if mode == "forward" else None,
        )
        for mode in MODES
        for contender in CONTENDERS
    ]


def turns(
    functions: Mapping[str, tuple[Callable[..., Any], Sequence[Tensor]]],
) -> dict[str, Callable[[], object]]:
    """Both modes of each contender's function on its operands, under the names that `rows` reads."""
    return {
        name: run
        for who, (function, operands) in functions.items()
        for name, run in (
            (f"forward {who}", _forward(function, operands)),
            (f"gradient {who}", _gradient(function, operands)),
        )
    }


def _forward(function: Callable[..., Any], operands: Sequence[Tensor]) -> Callable[[], object]:
    return lambda: function(*operands)


def _gradient(function: Callable[..., Any], operands: Sequence[Tensor]) -> Callable[[], object]:
    """Forward, then the gradient by every operand."""
    leaves = [operand.detach().requires_grad_() for operand in operands]

    def run() -> object:
        outputs = function(*leaves)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        return torch.autograd.grad(outputs, leaves, [torch.ones_like(each) for each in outputs])

    return run


def e3nn_product(
    irreps_in: str,
    irreps_filter: str,
    irreps_out: Iterable[tuple[int, Irrep]],
    couplings: Iterable[tuple[int, int]],
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """e3nn's channel-wise (uvu) product, unnormalised, with a weight per edge, path and channel.

    Args:
        irreps_in: the features.
        irreps_filter: the filter.
        irreps_out: channels and irrep of each path's output, in the order of the paths.
        couplings: for each path the positions of its input and its filter.
    """
    try:
        from e3nn import o3
    except ImportError:
        raise ImportError("e3nn is not installed; pip install 'tfngen[e3nn]'") from None
    product: Callable[[Tensor, Tensor, Tensor], Tensor] = o3.TensorProduct(
        o3.Irreps(irreps_in),
        o3.Irreps(irreps_filter),
        o3.Irreps([(channels, (irrep.l, irrep.p)) for channels, irrep in irreps_out]),
        [(at_input, at_filter, at, "uvu", True) for at, (at_input, at_filter) in enumerate(couplings)],
        irrep_normalization="none",
        path_normalization="none",
        shared_weights=False,
        internal_weights=False,
    )
    return product


def assert_same(paths: Sequence[Path], ours: Sequence[Tensor], theirs: Tensor) -> None:
    """Raise AssertionError unless e3nn's packed result is ours, path by path.

    e3nn's symbols have norm 1 and take the input before the filter: √(2l_O+1), and a sign on odd paths.
    """
    widths = [each.shape[1] * each.shape[2] for each in ours]
    for path, got, part in zip(paths, ours, theirs.split(widths, dim=1), strict=True):
        wanted = part.reshape(got.shape) * (2 * path.l_output + 1) ** 0.5
        wanted = wanted if path.even else -wanted
        error = (got - wanted).abs().max() / wanted.abs().max()
        assert error < 1e-5, f"tfngen and e3nn differ by {error:.1e} on path {path}"
