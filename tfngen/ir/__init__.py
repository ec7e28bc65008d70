"""The kernel IR: sums of products with exact coefficients, and the passes that make them cheap.

`nodes` says what a kernel is, `lower` writes the mathematics down as kernels, `passes` rewrite them,
`cost` counts them and `evaluate` runs them over exact numbers, to judge that a pass changed nothing.
"""
