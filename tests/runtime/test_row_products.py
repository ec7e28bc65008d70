"""Products of rows in lanes: every mode, with shared weights and a row's own, to every order."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from tfngen.irreps import Path
from tfngen.runtime.row_operators import row_product
from tfngen.runtime.row_plan import MODES, RowInstruction, RowWidths, decode_rows, encode_rows

CHANNELS = {"uvw": (3, 2, 6), "uvu": (5, 2, 5), "uvv": (2, 5, 5), "uuu": (4, 4, 4), "uv1": (5, 3, 1)}
"""Numbers that every loop over several channels at once leaves some of."""


def instruction(mode, path, channels, **offsets):
    places = {"x_offset": 0, "y_offset": 0, "weight_offset": 0, "out_offset": 0, **offsets}
    return RowInstruction(MODES.index(mode), *path, *channels, **places)


def plan_of(*instructions):
    """A product with rows just long enough."""
    ends = []
    for each in instructions:
        (d_x, d_y, d_out), channels = each.dims, each.w
        ends.append(
            (
                each.x_offset + each.u * d_x,
                each.y_offset + each.v * d_y,
                each.weight_offset + each.weights,
                each.out_offset + channels * d_out,
            )
        )
    return encode_rows(RowWidths(*map(max, zip(*ends, strict=True))), instructions)


def one(mode, path):
    return plan_of(instruction(mode, path, CHANNELS[mode]))


def everything():
    """All modes in one product: outputs of two overlap, one input is read twice, weights leave a gap."""
    return plan_of(
        instruction("uvw", Path(1, 1, 2), (3, 2, 6)),
        instruction("uvv", Path(2, 0, 2), (2, 6, 6), y_offset=7, weight_offset=40),
        instruction("uvu", Path(1, 1, 0), (3, 2, 3), weight_offset=60, out_offset=30),
        instruction("uuu", Path(0, 1, 1), (3, 3, 3), y_offset=1, weight_offset=70, out_offset=33),
    )


def operands(plan, rows, by_row, dtype=torch.float64):
    widths, _ = decode_rows(plan)
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.randn(shape, dtype=torch.float64, generator=generator).to(dtype)

    weights = random(rows, widths.weight) if by_row else random(widths.weight)
    return random(rows, widths.x), random(rows, widths.y), weights


def reference(kernels, plan, x, y, weights):
    """The same by einsum from the package's exact coefficients."""
    widths, instructions = decode_rows(plan)
    subscripts = {
        "uvw": "zuvw->zwo",
        "uvu": "zuv->zuo",
        "uvv": "zuv->zvo",
        "uuu": "zu->zuo",
        "uv1": "zuv->zo",
    }
    out = x.new_zeros(x.shape[0], widths.grad)
    for each in instructions:
        mode, (d_x, d_y, d_out) = MODES[each.mode], each.dims
        coefficients = x.new_zeros(d_y, d_x, d_out)
        for m_filter, m_input, m_output, sign, numerator, denominator in kernels.CLEBSCH_GORDAN[
            tuple(each.path)
        ]:
            place = m_filter + each.l_filter, m_input + each.l_input, m_output + each.l_output
            coefficients[place] = sign * (numerator / denominator) ** 0.5
        features = x[:, each.x_offset :][:, : each.u * d_x].unflatten(1, (each.u, d_x))
        filters = y[:, each.y_offset :][:, : each.v * d_y].unflatten(1, (each.v, d_y))
        own = weights[..., each.weight_offset :][..., : each.weights].expand(x.shape[0], -1)
        sizes = {"uvw": (each.u, each.v, each.w), "uuu": (each.u,)}.get(mode, (each.u, each.v))
        index, result = subscripts[mode].split("->")
        second = "u" if mode == "uuu" else "v"
        term = torch.einsum(
            f"{index},zui,z{second}f,fio->{result}", own.unflatten(1, sizes), features, filters, coefficients
        )
        span = slice(each.out_offset, each.out_offset + each.w * d_out)
        out = out.index_add(1, torch.arange(span.start, span.stop), term.flatten(1))
    return out


PLANS = {**{mode: one(mode, Path(1, 2, 1)) for mode in MODES}, "everything": everything()}


@pytest.mark.parametrize("by_row", [False, True], ids=["shared", "own"])
@pytest.mark.parametrize("rows", [0, 1, 15, 70])
@pytest.mark.parametrize("name", PLANS)
def test_products_and_derivatives_are_those_of_einsum(tfn_l2, name, rows, by_row):
    given = [each.requires_grad_() for each in operands(PLANS[name], rows, by_row)]
    found = row_product(tfn_l2._package.fingerprint, PLANS[name], *given)
    wanted = reference(tfn_l2, PLANS[name], *given)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    cotangent = torch.randn(found.shape, dtype=found.dtype, generator=torch.Generator().manual_seed(1))
    for leaves in ([given[0]], [given[1]], [given[2]], given):
        ours, theirs = (
            torch.autograd.grad(value, leaves, cotangent, retain_graph=True) for value in (found, wanted)
        )
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("path", [Path(0, 0, 0), Path(1, 1, 1), Path(2, 2, 2), Path(2, 1, 2)], ids=str)
@pytest.mark.parametrize("mode", MODES)
def test_every_degree_in_float32(tfn_l2, mode, path):
    plan = one(mode, path)
    given = operands(plan, 40, False)
    exact = reference(tfn_l2, plan, *given)
    found = row_product(tfn_l2._package.fingerprint, plan, *(each.float() for each in given))
    assert found.dtype == torch.float32
    assert (found - exact).abs().max() < 3e-6 * exact.abs().max()


@pytest.mark.parametrize("by_row", [False, True], ids=["shared", "own"])
@pytest.mark.parametrize("name", PLANS)
def test_first_second_and_third_derivatives(tfn_l2, name, by_row):
    given = [each.requires_grad_() for each in operands(PLANS[name], 3, by_row)]
    package = tfn_l2._package.fingerprint

    def product(*tensors):
        return row_product(package, PLANS[name], *tensors)

    def gradient(*tensors):
        return torch.autograd.grad(product(*tensors).square().sum(), tensors, create_graph=True)

    assert gradcheck(product, given, fast_mode=True)
    assert gradgradcheck(product, given, fast_mode=True)
    assert gradgradcheck(gradient, given, fast_mode=True)


@pytest.mark.parametrize("by_row", [False, True], ids=["shared", "own"])
def test_operators_pass_opcheck(tfn_l2, by_row):
    import tfngen.runtime.row_operators  # noqa: F401 (registers them)

    plan = everything()
    given = [each.requires_grad_() for each in operands(plan, 5, by_row)]
    package = tfn_l2._package.fingerprint
    torch.library.opcheck(torch.ops.tfngen.row_product.default, (package, plan, *given))
    grad = torch.randn(5, decode_rows(plan)[0].grad, dtype=torch.float64, requires_grad=True)
    for wanted in ([1, 1, 1], [0, 1, 0]):
        arguments = (package, plan, wanted, *given, grad)
        torch.library.opcheck(torch.ops.tfngen.row_product_backward.default, arguments)


def test_results_do_not_depend_on_threads(tfn_l2):
    """Bitwise, the weights' derivatives too, which are summed over 3,000 rows."""
    plan = everything()
    given = [each.requires_grad_() for each in operands(plan, 3000, False, torch.float32)]
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            out = row_product(tfn_l2._package.fingerprint, plan, *given)
            found.append([out, *torch.autograd.grad(out.square().sum(), given)])
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_rows_need_not_be_contiguous(tfn_l2):
    plan = everything()
    given = operands(plan, 20, True)
    apart = [torch.stack([each, each], dim=-1)[..., 0] for each in given]
    package = tfn_l2._package.fingerprint
    assert torch.equal(row_product(package, plan, *given), row_product(package, plan, *apart))


def test_malformed_calls_are_refused(tfn_l2):
    plan, package = everything(), tfn_l2._package.fingerprint
    x, y, weights = operands(plan, 5, False)
    call = torch.ops.tfngen.row_product
    for spoilt, message in (
        ((plan[:-1], x, y, weights), "^plan: "),
        (((*plan[:4], len(MODES), *plan[5:]), x, y, weights), "^plan: mode 5"),
        (((*plan[:11], 10**6, *plan[12:]), x, y, weights), "^plan: .* reaches beyond"),
        (((1, *plan[1:]), x, y, weights), "^plan: .* reaches beyond"),
        ((plan, x[:, 1:], y, weights), "^x: shape"),
        ((plan, x, y[:3], weights), "^y: shape"),
        ((plan, x, y, weights[:3]), "^weights: shape"),
        ((plan, x, y, weights.expand(4, -1)), "^weights: shape"),
        ((plan, x, y.float(), weights), "^y: torch.float32"),
        ((plan, x.half(), y.half(), weights.half()), "^x: torch.float16"),
    ):
        with pytest.raises(ValueError, match=message):
            call(package, *spoilt)
    generator = torch.Generator().manual_seed(0)
    refused = 0
    for at, value in itertools.product(range(len(plan)), (-1, 0, 1, 7, 10**6, 2**40)):
        changed = [*plan[:at], value, *plan[at + 1 :]]
        grad = torch.randn(5, plan[3], dtype=torch.float64, generator=generator)
        for arguments in ((call, x, y, weights), (None, x, y, weights, grad)):
            try:
                if arguments[0] is None:
                    torch.ops.tfngen.row_product_backward(package, changed, [1, 1, 1], *arguments[1:])
                else:
                    call(package, changed, *arguments[1:])
            except (ValueError, RuntimeError):
                refused += 1
    assert refused > 2 * len(plan) * 4


def test_many_pairs_are_multiplied_in_pieces(tfn_l2, monkeypatch):
    """A few channels of x at a time: the same sums, of weights that stay where they were."""
    from tfngen.runtime import row_plan

    whole = instruction("uvw", Path(1, 2, 1), (7, 2, 3), x_offset=1, weight_offset=2)
    monkeypatch.setattr(row_plan, "MOST_PAIRS", 12)
    pieces = whole.in_pieces()
    assert [each.u for each in pieces] == [2, 2, 2, 1]
    given = [each.requires_grad_() for each in operands(plan_of(whole), 20, False)]
    found = []
    for plan in (plan_of(whole), plan_of(*pieces)):
        out = row_product(tfn_l2._package.fingerprint, plan, *given)
        found.append([out, *torch.autograd.grad(out.sin().sum(), given)])
    for one_piece, several in zip(*found, strict=True):
        torch.testing.assert_close(one_piece, several, rtol=1e-12, atol=1e-12)
    (one_channel,) = instruction("uvw", Path(1, 1, 1), (100, 100, 1)).in_pieces()
    assert MODES[one_channel.mode] == "uv1"
    (elementwise,) = instruction("uvu", Path(1, 1, 1), (100, 100, 100)).in_pieces()
    assert elementwise.u == 100


def test_what_nobody_asked_for_is_not_computed(tfn_l2, monkeypatch):
    from tfngen.runtime import row_operators

    asked = []
    call = row_operators.call

    def spy(name, *arguments):
        asked.append(arguments[2] if name.endswith("backward") else None)
        return call(name, *arguments)

    given = [each.requires_grad_() for each in operands(everything(), 5, False)]
    monkeypatch.setattr(row_operators, "call", spy)
    for wanted in ([1, 0, 0], [0, 1, 1], [1, 1, 1]):
        out = row_product(tfn_l2._package.fingerprint, everything(), *given)
        torch.autograd.grad(out.sum(), [each for each, want in zip(given, wanted, strict=True) if want])
        assert asked[-1] == wanted
