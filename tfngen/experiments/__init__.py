"""Experiments of Thomas et al., arXiv:1802.08219: one module each, run by `tfngen experiment NAME`.

An experiment is a function `run(...)` that trains, measures and writes its results into one folder. What
they share: `training` (the loop, seeds), `results` (files, versions, clocks), `motions` (rotations).
"""
