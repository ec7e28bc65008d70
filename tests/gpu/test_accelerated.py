"""Models of other packages on a GPU: convolutions and harmonics on generated kernels, the rest as it came."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tfngen import Graph
from tfngen.interop import accelerate
from tfngen.interop.description import Description, Instruction
from tfngen.interop.edges import graph_edges
from tfngen.interop.products import EdgeProduct
from tfngen.irreps import Irreps
from tfngen.runtime.monomials import Monomials
from tfngen.runtime.symmetric_operators import symmetric_contraction

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")


def test_a_product_along_edges_equals_the_processors():
    """Filters of several channels, and two paths into one output."""
    irreps = map(Irreps.parse, ("32x0e+16x1o", "2x0e+1x1o+1x2e", "32x0e+16x1o"))
    coupled = ((0, 0, 0), (1, 0, 1), (1, 2, 1))
    description = Description(*irreps, tuple(Instruction(*each, "uvu", True, 1.0) for each in coupled))
    generator = torch.Generator().manual_seed(0)
    graph = Graph(torch.randint(0, 40, (2, 600), generator=generator), 40)
    widths = description.irreps_in1.dim, description.irreps_in2.dim, description.weight_offsets()[-1]
    shapes = zip((40, 600, 600), widths, strict=True)
    operands = [torch.randn(*each, generator=generator, dtype=torch.float64) for each in shapes]
    product, results = EdgeProduct(description), []
    for device in ("cpu", "cuda"):
        leaves = [each.to(device).requires_grad_() for each in operands]
        assert product.computes(*leaves)
        found = product(*leaves, graph_edges(graph.to(device)))
        gradients = torch.autograd.grad(found.square().sum(), leaves)
        results.append([each.detach().cpu() for each in (found, *gradients)])
    for one, other in zip(*results, strict=True):
        assert (one - other).abs().max() < 1e-12 * one.abs().max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("nodes", "channels"), [(300, 128), (5, 7), (0, 4)])
def test_a_symmetric_contraction_equals_the_processors(nodes, channels, dtype):
    """With the derivative of its gradient, which takes all three operators; twice the same bits."""
    each = ((0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 1, 2), (1, 1, 1, 2), (1, 0, 2, 2))
    monomials, generator = Monomials(3, 2, each), torch.Generator().manual_seed(0)
    species = torch.randint(4, (nodes,), generator=generator)
    shapes = (4, len(each), channels), (nodes, 3, channels)
    operands = [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]
    results = []
    for device in ("cpu", "cuda", "cuda"):
        leaves = [each.to(device).requires_grad_() for each in operands]
        found = symmetric_contraction(monomials, species.to(device), *leaves)
        slopes = torch.autograd.grad(found.square().sum(), leaves, create_graph=True)
        again = torch.autograd.grad(sum(slope.square().sum() for slope in slopes), leaves)
        results.append([each.detach().cpu() for each in (found, *slopes, *again)])
    bound = 1e-5 if dtype == torch.float32 else 1e-13
    for one, other, once_more in zip(*results, strict=True):
        assert torch.equal(other, once_more)
        if one.numel():
            assert (one - other).abs().max() <= bound * one.abs().max()


@pytest.mark.parametrize("first", ["moved", "accelerated"])
def test_sevennet_gives_the_same_energies_and_forces(first):
    calculators = pytest.importorskip("sevenn.calculator")
    from ase.build import bulk

    found = []
    for accelerated in (False, True):
        calculator = calculators.SevenNetCalculator("7net-0", device="cuda")
        if accelerated:
            model = calculator.model if first == "moved" else calculator.model.cpu()
            report = accelerate(model)
            assert {f"{layer}_convolution" for layer in range(5)} <= set(report.replaced), report
            model.cuda()
        atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * (2, 2, 2)
        atoms.rattle(0.05, seed=1)
        atoms.calc = calculator
        found.append((atoms.get_potential_energy(), atoms.get_forces()))
    (energy, forces), (energy_too, forces_too) = found
    assert abs(energy - energy_too) < 1e-6 * abs(energy)
    assert np.abs(forces - forces_too).max() < 1e-4 * np.abs(forces).max()
