"""Recorded programs on a GPU: the function's numbers, and one CUDA graph of all of it."""

from __future__ import annotations

import pytest
import torch

import tfngen
from tfngen import Features, Graph, nn

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")


@pytest.fixture(scope="module")
def problem():
    """Energy and forces of a network, and a loss's gradient; what they are called with, on a GPU."""
    kernels = tfngen.load(2, targets=("cpu", "cuda"))
    torch.manual_seed(0)
    network = nn.TensorFieldNetwork(
        "4x0e", "32x0e+32x1o", "1x0e", 2, kernels=kernels, basis=nn.BesselBasis(8, 4.0),
        envelope=nn.PolynomialCutoff(4.0), mean_neighbors=8.0,
    ).cuda()  # fmt: skip
    parameters = list(network.parameters())

    def forces(positions, features, graph):
        positions = positions.detach().requires_grad_()
        energy = network(graph, positions, features)["0e"].sum()
        return energy.detach(), -torch.autograd.grad(energy, positions)[0]

    def training(positions, features, graph):
        positions = positions.detach().requires_grad_()
        energy = network(graph, positions, features)["0e"].sum()
        (slope,) = torch.autograd.grad(energy, positions, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), parameters, materialize_grads=True)

    def drawn(points):
        positions = torch.rand(points, 3) * (points / 0.1) ** (1 / 3)
        graph = Graph.from_points(positions, 4.0).to("cuda")
        return positions.cuda(), Features({"0e": torch.randn(points, 4, 1).cuda()}), graph

    return forces, training, drawn


def test_traced_functions_give_what_the_functions_give(problem):
    *functions, drawn = problem
    for function in functions:
        traced = tfngen.trace(function)
        for points in (9, 40):
            arguments = drawn(points)
            for found, wanted in zip(traced(*arguments), function(*arguments), strict=True):
                torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
        assert len(traced.programs) == 1


def test_a_program_is_captured_whole(problem):
    forces, _, drawn = problem
    traced, (positions, features, graph) = tfngen.trace(forces), drawn(20)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        traced(positions, features, graph)
    torch.cuda.current_stream().wait_stream(stream)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        found = traced(positions, features, graph)
    positions.mul_(1.01)
    captured.replay()
    for one, other in zip(found, forces(positions, features, graph), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
