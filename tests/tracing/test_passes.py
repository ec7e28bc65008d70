"""Each pass leaves the numbers as they are, and does what it is for."""

from __future__ import annotations

import pytest
import torch

import tfngen
from tfngen.runtime.features import Features
from tfngen.runtime.graph import Graph


def program_of(function, *arguments):
    """The text of what `function` becomes, which gives what it gives, but for last bits of sums of two."""
    program = tfngen.trace(function).program(*arguments)
    found = tfngen.trace(function)(*arguments)
    wanted = function(*arguments)
    found, wanted = (each if isinstance(each, (tuple, list)) else [each] for each in (found, wanted))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    return program.code


def calls(code):
    """How many operations a program has."""
    return sum("=" in line and "(" in line for line in code.splitlines() if not line.startswith("def"))


def test_views_that_come_back_are_not_taken():
    x = torch.randn(4, 3, 5)
    code = program_of(lambda x: x.transpose(1, 2).mT[:, None].squeeze(1).detach()[:] + 1, x)
    assert calls(code) == 1


def test_the_same_view_in_two_ways_is_taken_once():
    x = torch.randn(4, 3, 5)
    code = program_of(lambda x: x.transpose(1, 2) * x.mT * x.permute(0, 2, 1), x)
    assert calls(code) == 3


def test_views_of_views_are_windows_of_rows():
    def parts(rows):
        rows = rows * 2
        return [part.view(-1, 3, 4).mT + 1 for part in rows.split([12, 12], 1)]

    code = program_of(parts, torch.randn(7, 24))
    assert code.count("window(") == 2
    assert calls(code) == 5


def test_windows_of_arguments_that_begin_somewhere_else():
    traced = tfngen.trace(lambda rows: rows.view(-1, 2, 3).mT.contiguous())
    for first in (0, 2, 5):
        rows = torch.randn(9, 6)[first : first + 3]
        assert torch.equal(traced(rows), rows.view(-1, 2, 3).mT)
    assert len(traced.programs) == 1


@pytest.mark.parametrize("channels", [(4, 4), (3, 5)])
def test_irreps_are_packed_by_one_call(channels):
    def packed(scalars, vectors):
        if channels[0] == channels[1]:
            return torch.cat([scalars.mT, vectors.mT], dim=1).reshape(scalars.shape[0], -1) * 2
        return torch.cat([scalars.mT.flatten(1), vectors.mT.flatten(1)], dim=1) * 2

    scalars, vectors = torch.randn(6, channels[0], 1), torch.randn(6, channels[1], 3)
    code = program_of(packed, scalars, tfngen.runtime.features.channels_last(vectors))
    assert "tfngen_pack" in code
    assert "cat" not in code


SLICES = {
    "covering": ([(0, 2), (2, 5), (5, 6)], True),
    "all of it": ([(0, 6)], True),
    "with a gap": ([(0, 2), (3, 6)], False),
    "overlapping": ([(0, 4), (2, 6)], False),
}


@pytest.mark.parametrize("name", SLICES)
def test_derivatives_of_slices_that_cover_everything_are_joined(name):
    (slices, joined), scale = SLICES[name], torch.randn(6)

    def gradient(x):
        x = (x * scale).detach().requires_grad_()
        parts = [x[:, start:end] for start, end in slices]
        return torch.autograd.grad(sum((at + 1) * part.sin().sum() for at, part in enumerate(parts)), x)

    code = program_of(gradient, torch.randn(4, 6))
    assert ("slice_backward" not in code) == joined
    assert ("torch.cat" in code) == (joined and len(slices) > 1)


@pytest.mark.parametrize("name", SLICES)
def test_what_is_written_into_zeros_side_by_side_is_joined(name):
    (slices, joined), scale = SLICES[name], torch.randn(6)

    def assembled(x):
        x = x * scale
        out = torch.zeros_like(x)
        for start, end in slices:
            out[:, start:end] = x[:, start:end].cos()
        return out + 1

    code = program_of(assembled, torch.randn(4, 6))
    assert ("slice_scatter" not in code) == joined


def test_long_sums_and_sums_of_sums_are_looked_at_once():
    def sums(x):
        chain = doubled = x
        for _ in range(1200):
            chain = chain + x
        for _ in range(64):
            doubled = doubled + doubled
        return chain, doubled

    program_of(sums, torch.randn(3))


def test_what_is_copied_into_another_layout_keeps_it():
    def copied(x):
        out = torch.empty_strided((3, 4), (4, 1))
        out.copy_(x.T)
        return out.view(-1) * 2

    assert "copy" not in program_of(copied, torch.randn(4, 3))


def test_rows_that_are_none_of_points_are_not_packed():
    """Three rows for a point, joined with others: the same operations, and another order of numbers."""
    vectors, others = torch.randn(6, 5, 3), torch.randn(6, 5, 3)
    code = program_of(
        lambda x, y: torch.cat([x.mT.reshape(-1, 5), y.mT.reshape(-1, 5)], 1) * 2, vectors, others
    )
    assert "pack" not in code
    code = program_of(lambda x, y: torch.cat([x.mT, y.mT], 1).reshape(-1, 5) * 2, vectors, others)
    assert "pack" not in code


def test_copies_that_are_returned_are_copies():
    def copies(x):
        out = torch.zeros_like(x)
        out.copy_(x)
        turned = x.T.clone(memory_format=torch.contiguous_format)
        return out, x.clone(memory_format=torch.contiguous_format), turned.T, x.T

    x = torch.randn(3, 4)
    *copied, view = tfngen.trace(copies)(x)
    before = x.clone()
    x.zero_()
    assert all(torch.equal(each, before) for each in copied)
    assert torch.equal(view, x.T)


def test_what_is_copied_before_it_is_changed_stays():
    def changed(x):
        before = x.clone(memory_format=torch.contiguous_format)
        x.mul_(2)
        return before + 1

    x = torch.randn(3)
    wanted = x + 1
    assert torch.equal(tfngen.trace(changed)(x), wanted)


@pytest.mark.parametrize("role", ["output", "d_weight"])
def test_operators_of_paths_and_of_rows_are_called_directly(tfn_l1, role):
    x, y, w = torch.randn(5, 4, 3), torch.randn(5, 3), torch.randn(5, 4)

    def product(x, y, w):
        w = (w * 1).detach().requires_grad_()
        z = tfn_l1.tensor_product((1, 1, 1), y, x, w)
        if role == "output":
            return z.detach() * 2
        return torch.autograd.grad(z.square().sum(), w)

    code = program_of(product, x, y, w)
    assert f"tfngen_{role}(" in code
    assert "torch.ops.tfngen" not in code
    code = program_of(lambda x: torch.ops.tfngen.turn_rows(x, [2, 3]) * 2, torch.randn(4, 6))
    assert "tfngen_turn_rows(" in code


def test_what_is_known_is_not_asked_for():
    scale = torch.randn(6)
    code = program_of(lambda x: (x * scale).view(x.shape[0], 2, x.shape[1] // 2) + 1, torch.randn(5, 6))
    assert "size" not in code


def test_parameters_are_transposed_once_and_read_where_they_are():
    layer = torch.nn.Linear(6, 4)
    traced, x = tfngen.trace(lambda x: layer(x)), torch.randn(5, 6)
    assert "torch.t(" not in traced.program(x).code
    for change in (
        lambda: layer.weight.data.mul_(2),
        lambda: setattr(layer.weight, "data", torch.randn(4, 6)),
        lambda: layer.load_state_dict(torch.nn.Linear(6, 4).state_dict()),
    ):
        change()
        torch.testing.assert_close(traced(x), layer(x).detach())


def test_large_products_lie_in_memory_that_is_used_again():
    matrix, bias = torch.randn(64, 8), torch.randn(64)
    for rows in (10, 40_000):
        x = torch.randn(rows, 8)
        code = program_of(lambda x: (x @ matrix.T, torch.nn.functional.linear(x, matrix, bias)), x)
        assert "tfngen_mm" in code
        assert "tfngen_addmm" in code


# ── two convolutions by one ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def problem(tfn_l1):
    generator = torch.Generator().manual_seed(0)
    convolution = tfn_l1.Convolution("3x0e+3x1o", "0e+1o", "0e+1o")
    edges = torch.randint(5, (2, 20), generator=generator)
    graph = Graph(torch.cat([edges, edges.flip(0)], dim=1), 5)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    features = Features({"0e": normal(5, 3, 1), "1o": normal(5, 3, 3)})
    return convolution, graph, normal(40, 3), features, normal(40, convolution.weight_numel)


def loss_gradient(problem, of, sharing):
    """The gradient of a loss on forces, as a function of arguments, by what `of` names."""
    convolution = problem[0]

    def gradient(graph, vectors, features, weights):
        given = {"vectors": vectors, "weights": weights, **dict(features)}
        given = {name: tensor.detach().requires_grad_() for name, tensor in given.items()}
        harmonics = convolution.kernels.spherical_harmonics(given["vectors"])
        named = {name: given[name] for name in features}
        index = graph.undirected.by_pair if sharing else None
        rows = given["weights"][: graph.undirected.num_pairs] if sharing else given["weights"]
        out = convolution(graph, harmonics, named, rows, index)
        energy = sum(tensor.square().sum() for tensor in out.values())
        (forces,) = torch.autograd.grad(energy, given["vectors"], create_graph=True)
        wanted = [tensor for name, tensor in given.items() if str(name) in of]
        return torch.autograd.grad(forces.square().sum(), wanted)

    return gradient


@pytest.mark.parametrize("sharing", [False, True])
@pytest.mark.parametrize(
    ("of", "together", "apart"),
    [
        (("weights", "0e", "1o"), "convolution_d_input_weight_along", "convolution_d_input_weight("),
        (("weights",), "", ""),
    ],
)
def test_gradients_of_a_loss_on_forces_are_made_in_one_pass(problem, of, together, apart, sharing):
    code = program_of(loss_gradient(problem, of, sharing), *problem[1:])
    assert together in code
    assert not apart or apart not in code


def second_gradient(problem, keep):
    """The gradient of a gradient by everything at once, and perhaps of its parts alone."""
    convolution = problem[0]

    def gradient(graph, vectors, features, weights):
        y = convolution.kernels.spherical_harmonics(vectors).detach().requires_grad_()
        weights = weights.detach().requires_grad_()
        scalars, others = (features[name].detach().requires_grad_() for name in ("0e", "1o"))
        operands = [y, weights, scalars, others]
        out = convolution(graph, y, {"0e": scalars, "1o": others}, weights)
        energy = sum(tensor.square().sum() for tensor in out.values())
        first = torch.autograd.grad(energy, operands, create_graph=True)
        loss = sum(each.square().sum() for each in first)
        both = torch.autograd.grad(loss, operands, retain_graph=True)
        return (*both, *first) if keep else both

    return gradient


@pytest.mark.parametrize("keep", [False, True])
def test_the_gradient_of_a_whole_gradient_is_made_in_one_pass(problem, keep):
    code = program_of(second_gradient(problem, keep), *problem[1:])
    assert "convolution_backward_along" in code
    assert "convolution_d_grad" in code
    assert "convolution_double_backward" not in code


def test_sums_of_which_a_part_is_wanted_too_are_left_alone(problem):
    """The derivative along a tangent alone is asked for beside the sum that it is part of."""
    convolution, *arguments = problem
    operator = convolution._operator

    def both(graph, vectors, features, weights):
        y = convolution.kernels.spherical_harmonics(vectors)
        operands = [y, tfngen.runtime.layout.pack(list(features.values())), weights]
        grad = y.new_ones(graph.num_nodes, convolution.irreps_out.dim)
        edges = graph.edges.tensors
        call = torch.ops.tfngen.convolution_d_input_weight
        one = call(operator.package, operator.plan, *operands, grad, *edges)
        other = call(operator.package, operator.plan, 2 * y, *operands[1:], 3 * grad, *edges)
        return one[0] + other[0], one[1] + other[1], one[1]

    assert "along" not in program_of(both, *arguments)


def test_shapes_are_checked_when_a_program_is_recorded(problem):
    """A recorded call of an operator checks nothing any more, so what does not fit must not be recorded."""
    convolution, graph, vectors, _, weights = problem
    operator = convolution._operator

    def wrong(graph, y, packed, weights):
        return torch.ops.tfngen.convolution_output(
            operator.package, operator.plan, y, packed, weights, *graph.edges.tensors
        )

    y = convolution.kernels.spherical_harmonics(vectors)
    packed = torch.randn(5, convolution.irreps_in.dim, dtype=torch.float64)
    traced = tfngen.trace(wrong)
    assert torch.equal(traced(graph, y, packed, weights), wrong(graph, y, packed, weights))
    for given in ((y[1:], packed, weights), (y, packed[1:], weights), (y, packed[:, 1:], weights)):
        with pytest.raises(ValueError, match="shape"):
            traced(graph, *given)
    with pytest.raises(ValueError, match="float32"):
        traced(graph, y.float(), packed, weights)
