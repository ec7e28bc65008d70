"""The point convolution: filters times features along every edge, summed into the target nodes."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from tfngen import irreps as algebra
from tfngen import naming
from tfngen.irreps import Block, Irrep, Irreps, Path
from tfngen.runtime import plan
from tfngen.runtime.autocast import HALF, widened
from tfngen.runtime.edge_weights import edge_weights
from tfngen.runtime.features import Features, concatenate_channels
from tfngen.runtime.graph import Graph
from tfngen.runtime.segments import EdgeOrder, gather, sum_to_nodes

if TYPE_CHECKING:
    from tfngen.runtime.fused import Fused

PathFilter = Callable[[Path], bool] | Collection[tuple[int, int, int]]
"""Which paths to keep: a predicate, such as ``lambda path: path.even``, or the paths themselves."""


class Kernels(Protocol):
    """What a generated package offers; `spherical_harmonics` and `tensor_product` are documented there."""

    LMAX: int
    NORMALIZATION: str
    PATHS: Sequence[tuple[int, int, int]]

    def spherical_harmonics(self, r: Tensor, /) -> Tensor: ...

    def tensor_product(
        self, path: tuple[int, int, int], y: Tensor, x: Tensor, w: Tensor | None = None, /
    ) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class ConvolutionPath:
    """One path of a convolution: what it couples, and where its weights and its output channels lie."""

    path: Path
    irrep_filter: Irrep
    irrep_input: Irrep
    irrep_output: Irrep
    channels: int
    """The channels of the input irrep, each coupled on its own ('uvu'): as many weights, as many outputs."""
    input_block: int
    """The position of `irrep_input` in the convolution's `irreps_in`."""
    output_block: int
    """The position of `irrep_output` in the convolution's `irreps_out`."""
    weight_offset: int
    output_offset: int

    @property
    def weight_slice(self) -> slice:
        """The path's weights among the `weight_numel` of the convolution."""
        return slice(self.weight_offset, self.weight_offset + self.channels)

    @property
    def output_slice(self) -> slice:
        """The path's channels among those of its output irrep."""
        return slice(self.output_offset, self.output_offset + self.channels)

    def __str__(self) -> str:
        return (
            f"{self.irrep_filter} × {self.channels}x{self.irrep_input} → {self.channels}x{self.irrep_output}"
        )


class Convolution:
    """L_{acm} = Σ_b Σ_{m_F, m_I} C · w_c(ab) · Y_{m_F}(r_ab) · V_{b c m_I} for every path, side by side.

    The layer of Thomas et al., arXiv:1802.08219, §4.1.3, with the radial factor R_c(|r_ab|) of each path as
    the weight w_c(ab). A path joins a filter irrep and an input irrep to an output irrep when degrees and
    parities allow it (|l_F − l_I| ≤ l_O ≤ l_F + l_I, p_O = p_F p_I). Channels are coupled one by one ('uvu'):
    a path from an input with C channels has C weights per edge and gives C channels of its output irrep; the
    paths to one irrep are concatenated. Paths run output by output, within one input by input, within one
    filter by filter, each in the order of its irreps; that is the order of the weights and of the output
    channels, and that of e3nn's instructions sorted by output slot.

    Args:
        kernels: a generated package (or anything with its interface, `Kernels`).
        irreps_in: the input features; blocks of one irrep are joined.
        irreps_filter: one channel each, ``0e+1o+2e`` for true parities or ``0e+1e+2e`` to ignore parity.
        irreps_out: which irreps to produce, one channel each in writing; widths follow from the paths.
        paths: the paths to keep, all by default.

    Attributes:
        irreps_out: the irreps produced, with their channels.
        paths: one `ConvolutionPath` per path.
        weight_numel: Σ channels over the paths.

    Raises:
        ValueError: a degree the kernels do not reach, an output no path reaches, a path without kernels.
    """

    def __init__(
        self,
        kernels: Kernels,
        irreps_in: Irreps | str,
        irreps_filter: Irreps | str,
        irreps_out: Irreps | str,
        paths: PathFilter | None = None,
    ) -> None:
        self.kernels = kernels
        self.irreps_in = Irreps.parse(irreps_in).regroup()
        self.irreps_filter = algebra.named_once("irreps_filter", irreps_filter)
        wanted = algebra.named_once("irreps_out", irreps_out)
        _, input_degrees, output_degrees = zip(*kernels.PATHS, strict=True)
        for name, irreps, top in (
            ("irreps_in", self.irreps_in, max(input_degrees)),
            ("irreps_filter", self.irreps_filter, kernels.LMAX),
            ("irreps_out", wanted, max(output_degrees)),
        ):
            if not irreps.blocks:
                raise ValueError(f"{name}: empty; a convolution needs at least one irrep")
            if irreps.lmax > top:
                raise ValueError(f"{name}: {irreps} has l = {irreps.lmax}; the kernels end at {top}")
        self._filter_widths = [2 * l + 1 for l in range(self.irreps_filter.lmax + 1)]
        self._components = sum(self._filter_widths)
        self.paths = self._planned(wanted, paths)
        self.weight_numel = sum(path.channels for path in self.paths)
        self.irreps_out = Irreps(
            tuple(
                Block(sum(path.channels for path in self.paths if path.irrep_output == irrep), irrep)
                for _, irrep in wanted
            )
        )
        self._numbers = self._encoded()
        self._names_out = tuple(irrep for _, irrep in self.irreps_out)
        self._operator = self._over_a_graph()

    def _planned(self, wanted: Irreps, keep: PathFilter | None) -> tuple[ConvolutionPath, ...]:
        """Every kept path to a wanted output, with running offsets into weights and channels."""
        available = {Path(*path) for path in self.kernels.PATHS}
        found = algebra.irrep_paths(self.irreps_in, self.irreps_filter, wanted, _kept(available, keep))
        if missing := sorted({each.path for each in found} - available):
            names = self.irreps_filter.without_widths(), wanted.without_widths()
            command = naming.build_command(str(self.irreps_in), *names)
            raise ValueError(
                f"paths: the kernels do not have {', '.join(map(str, missing))}; build them with `{command}`"
            )
        weight_offset = 0
        output_offsets = [0] * len(wanted)
        planned: list[ConvolutionPath] = []
        for each in found:
            planned.append(
                ConvolutionPath(
                    each.path, *each, weight_offset=weight_offset,
                    output_offset=output_offsets[each.output_block],
                )
            )  # fmt: skip
            weight_offset += each.channels
            output_offsets[each.output_block] += each.channels
        return tuple(planned)

    def __call__(
        self,
        graph: Graph,
        y: Tensor,
        features: Features | Mapping[Any, Tensor],
        weights: Tensor | None = None,
        edge_weight_index: Tensor | EdgeOrder | None = None,
    ) -> Features:
        """Convolve.

        Args:
            graph: edges from sources b to targets a.
            y: (edges, ≥ (l_F,max + 1)²) spherical harmonics of r_ab, packed by degree.
            features: V^(l)_{b c m}, a tensor (nodes, channels, 2l + 1) for each irrep of `irreps_in`.
            weights: (edges, weight_numel), in the order of the paths, or (weight_numel,) for all edges alike,
                or None for ones; (rows, weight_numel) with `edge_weight_index`.
            edge_weight_index: (edges,) int32 or int64, the row of `weights` that each edge has, so that
                edges can share one; gradients are summed over them in a fixed order. An `EdgeOrder` saves
                finding that order in each call: `graph.undirected.by_pair` gives both directions of an
                undirected edge one row, `graph.group_edges` any edges. torch.compile needs one of these.

        Returns:
            `Features` with `irreps_out`: (nodes, channels, 2l + 1), channels innermost in memory. Under
            `torch.autocast` operands of half precision are widened first, and results are float32. Without,
            float16 and bfloat16 are what operands, results and gradients have in memory: GPUs read and
            write them as they are, and everything is computed and summed in float32.

        Raises:
            ValueError: a wrong irrep, shape, dtype or device.
        """
        features = as_features("features", features, self.irreps_in)
        y, weights = widened(y), widened(weights)
        self._check(graph, y, features, weights)
        rows, order = edge_weights(graph, weights, edge_weight_index, self.weight_numel, y)
        product = self._composed if self._operator is None else self._fused
        return product(graph, y, features, rows, order)

    def _fused(
        self, graph: Graph, y: Tensor, features: Features, weights: Tensor, order: EdgeOrder | None = None
    ) -> Features:
        """One pass over the edges for all paths, and nothing per edge and channel in memory."""
        inputs = features._tensors  # in the order of `irreps_in`
        self.kernels._package.check_tensor("features", inputs[0], y)
        sums = self._operator.over(graph.edges.shared_by(order), y, weights, inputs)
        return Features._of(self._names_out, sums)

    def _composed(
        self, graph: Graph, y: Tensor, features: Features, weights: Tensor, order: EdgeOrder | None = None
    ) -> Features:
        """Gather, product and scatter, path by path: what `_fused` is compared with, for any kernels."""
        weights = weights if order is None else gather(weights, order)
        inputs = [
            gather(features[irrep].transpose(1, 2), graph.by_source).transpose(1, 2)
            for _, irrep in self.irreps_in
        ]
        # Split once: the gradient of a split is one concatenation, that of a slice an array of zeros each.
        filters = y[:, : self._components].split(self._filter_widths, 1)
        outputs: list[list[Tensor]] = [[] for _ in self.irreps_out]
        for path, weight in zip(self.paths, weights.split([p.channels for p in self.paths], 1), strict=True):
            along_edges = self.kernels.tensor_product(
                path.path, filters[path.path.l_filter], inputs[path.input_block], weight
            )
            at_nodes = sum_to_nodes(along_edges.transpose(1, 2), graph.by_target).transpose(1, 2)
            outputs[path.output_block].append(at_nodes)
        return Features._of(
            [irrep for _, irrep in self.irreps_out], [concatenate_channels(tensors) for tensors in outputs]
        )

    def _encoded(self) -> tuple[int, ...]:
        """The convolution in the numbers its operator takes: where each path's parts begin in packed rows."""
        inputs = list(accumulate((block.dim for block in self.irreps_in), initial=0))
        outputs = list(accumulate((block.dim for block in self.irreps_out), initial=0))
        paths = [
            plan.PackedPath(
                *path.path,
                channels=path.channels,
                filter_offset=path.path.l_filter**2,
                input_offset=inputs[path.input_block],
                weight_offset=path.weight_offset,
                grad_offset=outputs[path.output_block] + path.output_offset,
                grad_step=self.irreps_out.blocks[path.output_block].multiplicity,
            )
            for path in self.paths
        ]
        widths = plan.Widths(self._components, inputs[-1], self.weight_numel, outputs[-1])
        return plan.encode(widths, paths)

    def _over_a_graph(self) -> Fused | None:
        """The operator that a generated package has for all of it."""
        package = getattr(self.kernels, "_package", None)
        if package is None:
            return None
        from tfngen.runtime.fused import Fused

        shapes = (
            tuple((channels, irrep.dim) for channels, irrep in irreps)
            for irreps in (self.irreps_in, self.irreps_out)
        )
        return Fused(package.fingerprint, self._numbers, *shapes)

    def _check(self, graph: Graph, y: Tensor, features: Features, weights: Tensor | None) -> None:
        if features.num_points != graph.num_nodes:
            raise ValueError(f"features: {features.num_points} points; the graph has {graph.num_nodes} nodes")
        if features.device != graph.device:
            raise ValueError(f"features: on {features.device}; the graph is on {graph.device}")
        if y.ndim != 2 or y.shape[0] != graph.num_edges or y.shape[1] < self._components:
            raise ValueError(
                f"y: shape {tuple(y.shape)}; it must be ({graph.num_edges}, at least {self._components}), "
                f"every degree up to that of {self.irreps_filter}"
            )
        for name, tensor in (("y", y), ("weights", weights)):
            if tensor is not None and tensor.dtype != features.dtype:
                raise ValueError(f"{name}: dtype {tensor.dtype}; the features are {features.dtype}")
            if tensor is not None and tensor.device != features.device:
                raise ValueError(f"{name}: on {tensor.device}; the features are on {features.device}")

    def __getstate__(self) -> dict[str, Any]:
        # Modules cannot be copied or pickled, so a generated package travels as its name.
        state = self.__dict__.copy()
        del state["_operator"]
        if isinstance(self.kernels, ModuleType):
            state["kernels"] = _ModuleName(self.kernels.__name__)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if isinstance(self.kernels, _ModuleName):
            try:
                self.kernels = importlib.import_module(self.kernels)
            except ModuleNotFoundError as error:
                raise ModuleNotFoundError(
                    f"this convolution's kernels, {self.kernels}, are not loaded in this process; "
                    "call tfngen.load as when it was made, then unpickle"
                ) from error
        self._operator = self._over_a_graph()

    def __repr__(self) -> str:
        return (
            f"Convolution({self.irreps_in} by {self.irreps_filter} → {self.irreps_out}, "
            f"{len(self.paths)} paths, {self.weight_numel} weights)"
        )


class _ModuleName(str):
    """Where to import the kernels from again."""


def couplings(
    kernels: Kernels, irreps_in: Irreps, irreps_filter: Irreps, keep: PathFilter | None = None
) -> Iterator[tuple[int, Irrep, Irrep]]:
    """Every (position in irreps_in, filter irrep, output irrep) the kernels can couple and `keep` allows.

    Raises:
        ValueError: a filter whose parity is neither natural nor even, or a path the kernels do not have.
    """
    available = {Path(*path) for path in kernels.PATHS}
    kept = _kept(available, keep)
    for position, irrep_filter, irrep_output in algebra.couplings(irreps_in, irreps_filter):
        path = Path(irrep_filter.l, irreps_in.blocks[position].irrep.l, irrep_output.l)
        if path in available and kept(path):
            yield position, irrep_filter, irrep_output


def as_features(name: str, features: Features | Mapping[Any, Tensor], irreps: Irreps) -> Features:
    """`features` as `Features`, with exactly the channels of `irreps`, in that order; see `widened`.

    Raises:
        ValueError: an irrep is missing or superfluous, or its number of channels differs.
    """
    if not isinstance(features, Features):
        if not isinstance(features, (dict, Mapping)):
            raise ValueError(f"{name}: a {type(features).__name__}; it must map irreps to tensors")
        features = Features({irrep: widened(each) for irrep, each in features.items()})
    elif features.dtype in HALF:
        features = features.map(widened)
    if features._are_in_order(irreps):
        return features
    found = features._channels
    if len(found) != len(irreps) or any(found.get(irrep) != count for count, irrep in irreps):
        raise ValueError(f"{name}: irreps {features.irreps}; this layer wants {irreps}")
    names = [irrep for _, irrep in irreps]
    return Features._of(names, [features[irrep] for irrep in names])


def _kept(available: set[Path], keep: PathFilter | None) -> Callable[[Path], bool]:
    if keep is None:
        return lambda _: True
    if callable(keep):
        return keep
    wanted = {Path(*path) for path in keep}
    if unknown := wanted - available:
        raise ValueError(f"paths: {', '.join(map(str, sorted(unknown)))} not among the kernels' paths")
    return wanted.__contains__
