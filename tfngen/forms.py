"""The kernels of a convolution over a graph: derivatives of one form, summed over the edges.

    T = Σ_edges Σ C · filter[edge] · input[source] · weight[edge] · grad[target]

is linear in each of its four slots (`tfngen.roles`). A `Form` is a kernel that returns derivatives of T by
one or more slots; those along tangents return them for ΔT, the derivative of T in the direction of some
slots' tangents. Together they are a convolution, its gradient and the gradient of that:

    output                       ∂T/∂grad, the convolution itself
    d_input, d_filter, d_weight  its gradient, one at a time
    d_input_weight, backward     two of them, and all three, at once
    d_grad, double_backward      ∂/∂grad, and the other three at once, along the tangents of those three

A loss on forces meets a convolution twice, in the gradient of its gradient and in its own gradient. With the
gradient of one as the tangent of the other's, both are one derivative, made in one pass:

    backward_along               double_backward, and backward with the tangent of grad
    d_input_weight_along         the same where only the filter has a tangent besides: d_input_weight twice
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from tfngen.roles import SLOTS

TANGENT = "_tangent"
"""What a tangent is called: its operand's name with this at its end."""


@dataclass(frozen=True, slots=True)
class Form:
    """A kernel over a graph.

    Attributes:
        name: what it is called in generated code.
        by: the slots it differentiates by, in the order of its results.
        along: the slots that have tangents; T itself is differentiated where none has.
    """

    name: str
    by: tuple[str, ...]
    along: tuple[str, ...] = ()

    @property
    def operands(self) -> tuple[str, ...]:
        """What it takes: every slot its derivatives depend on, then the tangents."""
        slots = tuple(slot for slot in SLOTS if self.by != (slot,))
        return slots + tuple(slot + TANGENT for slot in self.along)

    @property
    def results(self) -> tuple[str, ...]:
        """What it returns, slot by slot."""
        return tuple("output" if self.name == "output" else f"d_{slot}" for slot in self.by)

    @property
    def node(self) -> str:
        """The end of the edges whose nodes it goes through: ``target`` or ``source``.

        A target's gradient, which has all paths' results in it, is read once for all its edges. Nothing but a
        sum over sources, which stays in registers, is worth more than that.
        """
        return "source" if self.by == ("input",) else "target"

    @property
    def held(self) -> tuple[str, ...]:
        """The operands that belong to that node; those of the other end are gathered."""
        slot = "grad" if self.node == "target" else "input"
        return tuple(name for name in self.operands if name.removesuffix(TANGENT) == slot)

    @property
    def gathered(self) -> tuple[str, ...]:
        """The operands that belong to the other end of each edge."""
        slot = "input" if self.node == "target" else "grad"
        return tuple(name for name in self.operands if name.removesuffix(TANGENT) == slot)

    @property
    def sums_only(self) -> bool:
        """Whether all it returns is sums over each node's edges, which then stay in registers."""
        return self.by in (("grad",), ("input",))

    @property
    def scatters(self) -> bool:
        """Whether it sums over sources, edge by edge, while it goes through targets."""
        return "input" in self.by and self.node == "target"

    @property
    def arguments(self) -> tuple[str, ...]:
        """What a call of the kernel is made with, path by path: see `tfngen.runtime.cpu.convolve`."""
        steps = {f"{name.removesuffix(TANGENT)}_step": None for name in (*self.gathered, *self.held)}
        steps |= {f"{slot}_step": None for slot in self.by if slot in ("input", "grad")}
        arrays = [name for name in self.operands if name.removesuffix(TANGENT) != "filter"] + [*self.results]
        return ("channels", "filter_at", *steps, *(f"{name}s" for name in arrays))


FORMS = (
    Form("output", ("grad",)),
    Form("d_input", ("input",)),
    Form("d_filter", ("filter",)),
    Form("d_weight", ("weight",)),
    Form("d_input_weight", ("input", "weight")),
    Form("backward", SLOTS[:3]),
    Form("d_grad", ("grad",), along=SLOTS[:3]),
    Form("double_backward", SLOTS[:3], along=SLOTS[:3]),
    Form("d_input_weight_along", ("input", "weight"), along=("filter", "grad")),
    Form("backward_along", SLOTS[:3], along=SLOTS),
)
"""Every kernel a path has over a graph."""

FORM = {form.name: form for form in FORMS}


TILE_EDGES = 128
"""The most edges in a tile."""
EDGE_STRIDE = TILE_EDGES + 16
"""From one value of every edge of a tile to the next; its cache lines spread over all sets of a cache."""

AHEAD = 4
"""How many edges before its turn a row is asked for."""


class Tile(IntEnum):
    """What a kernel finds where: the edges of some consecutive nodes, ready to be worked on.

    A tile is a table of integers, made by `tfngen.runtime.cpu.drive`; arrays are their addresses. Edges are
    counted from the tile's first one, and rows are given by their first element.
    """

    FIRST = 0
    """The first node."""
    LAST = 1
    """The node after the last one."""
    EDGES = 2
    """How many edges the nodes have in all."""
    NODE_ROW = 3
    """Elements from one node's row to the next."""
    EDGE_POINTERS = 4
    """Where each node's edges begin, and after the last of them where they end."""
    NEIGHBOR_ROWS = 5
    """The row of each edge's other end; behind them, those of some more edges."""
    WEIGHT_ROWS = 6
    """The row of each edge's weights; behind them, those of the next tile's edges."""
    EDGE_ROWS = 7
    """The row of each edge's own weights in a result."""
    FILTERS = 8
    """The filters, component by component, each over all edges."""
    FILTER_TANGENTS = 9
    D_FILTER_ROW = 10
    """Elements from one edge's row to the next among the tile's derivatives by filters: vectors, whose lanes
    are summed when all paths have added to them."""
    COUPLINGS = 11
    """Room for a path's coupling coefficients, each over all edges."""
    WRITING = 12
    """How derivatives by weights are written, a `Writing`."""
    HELD = 13
    """Room for what a node holds, contracted with the coefficients: vector by vector of its channels."""
    ROW = 14
    """Room for a path's derivatives by the weights of one edge."""
    D_INPUT_ROW = 15
    """Elements from one edge's row to the next among the tile's derivatives by inputs."""


class Writing(IntEnum):
    """How the derivatives by an edge's weights reach their row."""

    STORE = 0
    """The row is the edge's own."""
    PAST_CACHES = 1
    """The same, when there are too many rows for the caches."""
    ADD = 2
    """Edges share the row, which begins at zero."""
