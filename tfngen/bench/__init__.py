"""Measuring: workloads, peers and the machine's own ceilings, interleaved in one run, medians of many.

A time alone says little on a machine that others use too. What is reported are ratios: against a peer doing
the same work in the same run, and against what this machine can do at best, measured in the same run.
"""
