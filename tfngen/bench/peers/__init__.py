"""The neighbours: one file each says how it computes the same thing, in its own layout.

Whoever is timed is a `Contender`; tfngen is one of them. Its module has `convolution(problem, compiled)` or
`harmonics(problem, compiled)`, or both, and gives a `Prepared`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

SAMPLE_ROWS = 1000
"""How many rows of each result are compared: enough to find any mistake of layout, sign or scale."""


@dataclass(frozen=True, slots=True)
class Contender:
    """Somebody who computes it, in one way.

    Attributes:
        peer: what `--peers` calls it.
        needs: the modules that must be importable.
        compiled: under torch.compile.
    """

    name: str
    peer: str
    module: str
    needs: tuple[str, ...]
    compiled: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A contender with its operands, ready to run.

    Attributes:
        run: mode → a function that does the work once and returns its results.
        sample: (mode, results) → the first rows of each result, in tfngen's layout and scale.
        missing: mode → why it cannot be run.
    """

    run: Mapping[str, Callable[[], Any]]
    sample: Callable[[str, Any], list[np.ndarray]]
    missing: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a contender's packed rows differ from `tfngen.bench.problem`'s.

    Attributes:
        features: the contender's column of each feature; None where they are the same.
        weights: the same for weights.
        outputs: the same for outputs.
        scale: for each output column, what the contender's number is of ours.
    """

    features: np.ndarray | None = None
    weights: np.ndarray | None = None
    outputs: np.ndarray | None = None
    scale: np.ndarray | None = None


TFNGEN = Contender("tfngen", "tfngen", "tfngen.bench.peers.ours", ())
_E3NN = "tfngen.bench.peers.e3nn"
_CUE = "tfngen.bench.peers.cuequivariance"
_OEQ = "tfngen.bench.peers.openequivariance"
_LUNA = "tfngen.bench.peers.lunaequivariance"
_FLASHTP = "tfngen.bench.peers.flashtp"
_FLASHCART = "tfngen.bench.peers.flashcart"
_CUE_NEEDS = ("cuequivariance", "cuequivariance_torch")

CONVOLUTIONS = (
    TFNGEN,
    Contender("tfngen traced", "trace", "tfngen.bench.peers.traced", ()),
    Contender("e3nn", "e3nn", _E3NN, ("e3nn",)),
    Contender("e3nn compiled", "e3nn", _E3NN, ("e3nn",), compiled=True),
    Contender("cuequivariance", "cuequivariance", _CUE, _CUE_NEEDS),
    Contender("cuequivariance compiled", "cuequivariance", _CUE, _CUE_NEEDS, compiled=True),
    Contender("e3nn-jax", "e3nn-jax", "tfngen.bench.peers.e3nn_jax", ("jax", "e3nn_jax")),
)
CONVOLUTIONS_ON_GPUS = (
    *CONVOLUTIONS[:4],
    Contender("cuequivariance", "cuequivariance", _CUE, (*_CUE_NEEDS, "cuequivariance_ops_torch")),
    Contender("openequivariance", "openequivariance", _OEQ, ("openequivariance", "e3nn")),
    Contender("lunaequivariance", "lunaequivariance", _LUNA, ("LunaEquivariance", "e3nn")),
    Contender("flashtp", "flashtp", _FLASHTP, ("flashTP_e3nn", "e3nn")),
    Contender("flashcart", "flashcart", _FLASHCART, ("flashcart",)),
)
"""Those that have kernels for GPUs, and e3nn."""
HARMONICS = (
    TFNGEN,
    Contender("e3nn", "e3nn", _E3NN, ("e3nn",)),
    Contender(
        "sphericart", "sphericart", "tfngen.bench.peers.sphericart", ("sphericart", "sphericart.torch")
    ),
)


def first_rows(mode: str, results: Sequence[Tensor]) -> list[np.ndarray]:
    """`Prepared.sample` of those whose results are in tfngen's layout and scale as they are."""
    return [part.detach()[:SAMPLE_ROWS].numpy() if part.ndim else part.detach().numpy() for part in results]


def choose(
    contenders: Iterable[Contender], peers: Iterable[str] | None, compiled: bool = True
) -> list[Contender]:
    """tfngen and the peers named, all of them for None; without those under torch.compile if not `compiled`.

    Raises:
        ValueError: a name that is none of the peers.
    """
    contenders = list(contenders)
    known = list(dict.fromkeys(each.peer for each in contenders if each is not TFNGEN))
    wanted = known if peers is None else list(peers)
    for name in wanted:
        if name not in known:
            raise ValueError(f"peers: got {name!r}; it must be among {', '.join(known)}")
    chosen = [each for each in contenders if each is TFNGEN or each.peer in wanted]
    return [each for each in chosen if compiled or not each.compiled]


def ratio(peer: str, path: object, theirs: np.ndarray, ours: np.ndarray) -> float:
    """What a peer's coefficients of a path are of ours.

    Raises:
        ValueError: they are not ours times a number.
    """
    times = float((theirs * ours).sum() / (ours * ours).sum())
    if not np.allclose(theirs, times * ours, atol=1e-6):
        raise ValueError(f"path {path}: {peer}'s coefficients are not tfngen's times a number")
    return times


def not_installed(contender: Contender) -> str:
    """Why a contender cannot take part on this machine; empty when it can."""
    for module in contender.needs:
        try:
            found = find_spec(module)
        except ModuleNotFoundError:  # of a submodule whose parent is missing
            found = None
        if found is None:
            return f"not installed: {module}"
    return ""
