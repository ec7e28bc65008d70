"""Which module has the kernels of a path over a graph."""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

GROUP = {
    (0, 0, 0): "input_0",
    (0, 1, 1): "input_1",
    (1, 0, 1): "input_0",
    (1, 1, 0): "input_1",
    (1, 1, 1): "input_1",
}
