"""e3nn-jax: its product path by path, gather and segment sum, all in one `jax.jit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfngen.bench.peers import SAMPLE_ROWS, Prepared
from tfngen.bench.peers.e3nn import odd_path_signs
from tfngen.bench.problem import Problem, input_slices


def convolution(problem: Problem, compiled: bool) -> Prepared:
    """Packed as e3nn packs, normalised so that odd paths differ from ours by a sign only."""
    import jax
    from jax import numpy as jnp

    forward = _forward(problem)
    vectors, features, weights, cotangent, target = (
        jnp.asarray(each.numpy())
        for each in (
            problem.vectors, problem.features, problem.weights, problem.cotangent, problem.target
        )
    )  # fmt: skip
    signs = odd_path_signs(problem.convolution).astype(np.float32)
    signed = cotangent * signs

    def linear(r: Any, x: Any, w: Any) -> Any:
        return (signed * forward(r, x, w)).sum()

    def quadratic(r: Any, x: Any, w: Any) -> Any:
        return (cotangent * forward(r, x, w) ** 2).sum() / 2

    def forces(r: Any, x: Any, w: Any) -> Any:
        energy, slope = jax.value_and_grad(linear)(r, x, w)
        return -slope, energy[None]

    def work(r: Any, x: Any, w: Any) -> Any:
        return -(target * jax.grad(quadratic)(r, x, w)).sum()

    functions = {
        "forward": forward,
        "gradient": jax.grad(linear, argnums=(0, 1, 2)),
        "forces": forces,
        "training": jax.grad(work, argnums=(1, 2)),
    }

    def runner(function: Callable[..., Any]) -> Callable[[], Any]:
        jitted = jax.jit(function)
        return lambda: jax.block_until_ready(jitted(vectors, features, weights))

    def sample(mode: str, results: Any) -> list[np.ndarray]:
        parts: Sequence[Any] = results if isinstance(results, tuple) else (results,)
        rows = [np.asarray(part)[:SAMPLE_ROWS] for part in parts]
        return [rows[0] * signs] if mode == "forward" else rows

    return Prepared({mode: runner(function) for mode, function in functions.items()}, sample, {})


def _forward(problem: Problem) -> Callable[[Any, Any, Any], Any]:
    """(vectors, features, weights) → packed sums."""
    import e3nn_jax as e3nn
    import jax
    from jax import numpy as jnp

    ours, nodes = problem.convolution, problem.graph.num_nodes
    sources, targets = (jnp.asarray(each.numpy()) for each in (problem.graph.source, problem.graph.target))
    filters = [irrep for _, irrep in ours.irreps_filter]
    vector = "1o" if all(irrep.p == (-1) ** irrep.l for irrep in filters) else "1e"
    slices = input_slices(ours)

    def forward(r: Any, x: Any, w: Any) -> Any:
        y = e3nn.spherical_harmonics(
            str(ours.irreps_filter), e3nn.IrrepsArray(vector, r), normalize=True, normalization="component"
        )
        gathered = x[sources]
        messages = []
        for path in ours.paths:
            inputs = e3nn.IrrepsArray(
                f"{path.channels}x{path.irrep_input}", gathered[:, slices[path.input_block]]
            )
            filter_ = e3nn.IrrepsArray(
                str(path.irrep_filter), y.chunks[filters.index(path.irrep_filter)][:, 0]
            )
            coupled = e3nn.tensor_product(
                inputs,
                filter_,
                filter_ir_out=[e3nn.Irrep(str(path.irrep_output))],
                irrep_normalization="component",
            )
            messages.append((coupled.chunks[0] * w[:, path.weight_slice, None]).reshape(r.shape[0], -1))
        return jax.ops.segment_sum(jnp.concatenate(messages, axis=1), targets, num_segments=nodes)

    return forward
