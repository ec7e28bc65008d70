"""Rows turned into lanes and back, and channels mixed there, in float64.

A tile is as many rows as a vector has lanes: row `k` of them is in lane `k`, and a component of a channel is
a vector. Kernels are called by `tfngen.runtime.cpu.row_products`, with a table of integers each. Those that
mix channels of degree l, `mix_l` and `d_mix_l`, do so for each of a number of groups.
"""

# Written by tfngen 0.1.0 (lmax 1, component normalisation); do not edit: build it again instead.

from tfngen.runtime.cpu.float64 import (
    BYTES,
    LANES,
    active_lanes,
    add_lanes,
    clear,
    kernel,
    load_indices,
    load_lanes,
    load_scalar,
    store_lanes,
    store_scalar,
    total,
    turn_in,
    turn_out,
    zero,
)


@kernel
def read_rows(batch, call):
    """lanes[column][row] = values[row, column], and zeros where there is no row; one of `tiles` in a batch"""
    rows, columns, tiles, which, values, lanes = load_indices(call, 6)
    first = (batch * tiles + which) * LANES
    active = active_lanes(rows - first)
    for column in range(0, columns, LANES):
        within = active_lanes(columns - column)
        turn_in(values, first * columns + column, columns, active, within, lanes + column * LANES * BYTES)


@kernel
def write_rows(batch, call):
    """values[row, column] = lanes[column][row]"""
    rows, columns, tiles, which, values, lanes = load_indices(call, 6)
    first = (batch * tiles + which) * LANES
    active = active_lanes(rows - first)
    for column in range(0, columns, LANES):
        within = active_lanes(columns - column)
        turn_out(values, first * columns + column, columns, active, within, lanes + column * LANES * BYTES)


@kernel
def clear_lanes(_batch, call):
    """lanes[k] = 0 for `count` vectors"""
    count, lanes = load_indices(call, 2)
    clear(lanes, count * LANES * BYTES)


@kernel
def add_up(_batch, call):
    """results[k] = Σ_row lanes[k][row]"""
    count, lanes, results = load_indices(call, 3)
    for at in range(count):
        store_scalar(results, at, total(load_lanes(lanes, at * LANES)))


@kernel
def mix_0(_batch, call):
    """outputs[w, m] = Σ_k weights[k, w] · inputs[k, m], or += where it adds"""
    (
        groups, count, width, weight_group, weight_step, weight_width, input_group, output_group,
        adds, weights, inputs, outputs,
    ) = load_indices(call, 12)
    for group in range(groups):
        done = 0
        for w in range(done, width - 7, 8):
            weight_at = group * weight_group + w * weight_width
            input_at, output_at = group * input_group, group * output_group + w * 1 * LANES
            sum_0_0 = zero()
            sum_1_0 = zero()
            sum_2_0 = zero()
            sum_3_0 = zero()
            sum_4_0 = zero()
            sum_5_0 = zero()
            sum_6_0 = zero()
            sum_7_0 = zero()
            for _k in range(count):
                weight_0 = load_scalar(weights, weight_at)
                weight_1 = load_scalar(weights, weight_at + weight_width)
                weight_2 = load_scalar(weights, weight_at + 2 * weight_width)
                weight_3 = load_scalar(weights, weight_at + 3 * weight_width)
                weight_4 = load_scalar(weights, weight_at + 4 * weight_width)
                weight_5 = load_scalar(weights, weight_at + 5 * weight_width)
                weight_6 = load_scalar(weights, weight_at + 6 * weight_width)
                weight_7 = load_scalar(weights, weight_at + 7 * weight_width)
                input_0 = load_lanes(inputs, input_at)
                sum_0_0 += weight_0 * input_0
                sum_1_0 += weight_1 * input_0
                sum_2_0 += weight_2 * input_0
                sum_3_0 += weight_3 * input_0
                sum_4_0 += weight_4 * input_0
                sum_5_0 += weight_5 * input_0
                sum_6_0 += weight_6 * input_0
                sum_7_0 += weight_7 * input_0
                weight_at += weight_step
                input_at += 1 * LANES
            if adds:
                add_lanes(outputs, output_at, sum_0_0)
                add_lanes(outputs, output_at + LANES, sum_1_0)
                add_lanes(outputs, output_at + 2 * LANES, sum_2_0)
                add_lanes(outputs, output_at + 3 * LANES, sum_3_0)
                add_lanes(outputs, output_at + 4 * LANES, sum_4_0)
                add_lanes(outputs, output_at + 5 * LANES, sum_5_0)
                add_lanes(outputs, output_at + 6 * LANES, sum_6_0)
                add_lanes(outputs, output_at + 7 * LANES, sum_7_0)
            else:
                store_lanes(outputs, output_at, sum_0_0)
                store_lanes(outputs, output_at + LANES, sum_1_0)
                store_lanes(outputs, output_at + 2 * LANES, sum_2_0)
                store_lanes(outputs, output_at + 3 * LANES, sum_3_0)
                store_lanes(outputs, output_at + 4 * LANES, sum_4_0)
                store_lanes(outputs, output_at + 5 * LANES, sum_5_0)
                store_lanes(outputs, output_at + 6 * LANES, sum_6_0)
                store_lanes(outputs, output_at + 7 * LANES, sum_7_0)
            done = w + 8
        for w in range(done, width - 3, 4):
            weight_at = group * weight_group + w * weight_width
            input_at, output_at = group * input_group, group * output_group + w * 1 * LANES
            sum_0_0 = zero()
            sum_1_0 = zero()
            sum_2_0 = zero()
            sum_3_0 = zero()
            for _k in range(count):
                weight_0 = load_scalar(weights, weight_at)
                weight_1 = load_scalar(weights, weight_at + weight_width)
                weight_2 = load_scalar(weights, weight_at + 2 * weight_width)
                weight_3 = load_scalar(weights, weight_at + 3 * weight_width)
                input_0 = load_lanes(inputs, input_at)
                sum_0_0 += weight_0 * input_0
                sum_1_0 += weight_1 * input_0
                sum_2_0 += weight_2 * input_0
                sum_3_0 += weight_3 * input_0
                weight_at += weight_step
                input_at += 1 * LANES
            if adds:
                add_lanes(outputs, output_at, sum_0_0)
                add_lanes(outputs, output_at + LANES, sum_1_0)
                add_lanes(outputs, output_at + 2 * LANES, sum_2_0)
                add_lanes(outputs, output_at + 3 * LANES, sum_3_0)
            else:
                store_lanes(outputs, output_at, sum_0_0)
                store_lanes(outputs, output_at + LANES, sum_1_0)
                store_lanes(outputs, output_at + 2 * LANES, sum_2_0)
                store_lanes(outputs, output_at + 3 * LANES, sum_3_0)
            done = w + 4
        for w in range(done, width - 1, 2):
            weight_at = group * weight_group + w * weight_width
            input_at, output_at = group * input_group, group * output_group + w * 1 * LANES
            sum_0_0 = zero()
            sum_1_0 = zero()
            for _k in range(count):
                weight_0 = load_scalar(weights, weight_at)
                weight_1 = load_scalar(weights, weight_at + weight_width)
                input_0 = load_lanes(inputs, input_at)
                sum_0_0 += weight_0 * input_0
                sum_1_0 += weight_1 * input_0
                weight_at += weight_step
                input_at += 1 * LANES
            if adds:
                add_lanes(outputs, output_at, sum_0_0)
                add_lanes(outputs, output_at + LANES, sum_1_0)
            else:
                store_lanes(outputs, output_at, sum_0_0)
                store_lanes(outputs, output_at + LANES, sum_1_0)
            done = w + 2
        for w in range(done, width):
            weight_at = group * weight_group + w * weight_width
            input_at, output_at = group * input_group, group * output_group + w * 1 * LANES
            sum_0_0 = zero()
            for _k in range(count):
                weight_0 = load_scalar(weights, weight_at)
                input_0 = load_lanes(inputs, input_at)
                sum_0_0 += weight_0 * input_0
                weight_at += weight_step
                input_at += 1 * LANES
            if adds:
                add_lanes(outputs, output_at, sum_0_0)
            else:
                store_lanes(outputs, output_at, sum_0_0)
            done = w + 1


@kernel
def mix_rows_0(_batch, call):
    """The same by weights of a row's own, which are in lanes too."""
    (
        groups, count, width, weight_group, weight_step, weight_width, input_group, output_group,
        adds, weights, inputs, outputs,
    ) = load_indices(call, 12)
    for group in range(groups):
        done = 0
        for w in range(done, width - 7, 8):
            weight_at = (group * weight_group + w * weight_width) * LANES
            input_at, output_at = group * input_group, group * output_group + w * 1 * LANES
            sum_0_0 = zero()
            sum_1_0 = zero()
            sum_2_0 = zero()
            sum_3_0 = zero()
            sum_4_0 = zero()
            sum_5_0 = zero()
            sum_6_0 = zero()
            sum_7_0 = zero()
            for _k in range(count):
                weight_0 = load_lanes(weights, weight_at)
                weight_1 = load_lanes(weights, weight_at + weight_width * LANES)
                weight_2 = load_lanes(weights, weight_at + 2 * weight_width * LANES)
                weight_3 = load_lanes(weights, weight_at + 3 * weight_width * LANES)
                weight_4 = load_lanes(weights, weight_at + 4 * weight_width * LANES)
                weight_5 = load_lanes(weights, weight_at + 5 * weight_width * LANES)
                weight_6 = load_lanes(weights, weight_at + 6 * weight_width * LANES)
                weight_7 = load_lanes(weights, weight_at + 7 * weight_width * LANES)
                input_0 = load_lanes(inputs, input_at)
                sum_0_0 += weight_0 * input_0
                sum_1_0 += weight_1 * input_0
                sum_2_0 += weight_2 * input_0
                sum_3_0 += weight_3 * input_0
                sum_4_0 += weight_4 * input_0
                sum_5_0 += weight_5 * input_0
                sum_6_0 += weight_6 * input_0
                sum_7_0 += weight_7 * input_0
                weight_at += weight_step * LANES
                input_at += 1 * LANES
            if adds:
                add_lanes(outputs, output_at, sum_0_0)
                add_lanes(outputs, output_at + LANES, sum_1_0)
                add_lanes(outputs, output_at + 2 * LANES, sum_2_0)
                add_lanes(outputs, output_at + 3 * LANES, sum_3_0)
                add_lanes(outputs, output_at + 4 * LANES, sum_4_0)
                add_lanes(outputs, output_at + 5 * LANES, sum_5_0)
                add_lanes(outputs, output_at + 6 * LANES, sum_6_0)
                add_lanes(outputs, output_at + 7 * LANES, sum_7_0)
            else:
                store_lanes(outputs, output_at, sum_0_0)
                store_lanes(outputs, output_at + LANES, sum_1_0)
                store_lanes(outputs, output_at + 2 * LANES, sum_2_0)
                store_lanes(outputs, output_at + 3 * LANES, sum_3_0)
                store_lanes(outputs, output_at + 4 * LANES, sum_4_0)
                store_lanes(outputs, output_at + 5 * LANES, sum_5_0)
                store_lanes(outputs, output_at + 6 * LANES, sum_6_0)
                store_lanes(outputs, output_at + 7 * LANES, sum_7_0)
            done = w + 8
        for w in range(done, width - 3, 4):
            weight_at = (group * weight_group + w * weight_width) * LANES
            input_at, output_at = group * input_group, group * output_group + w * 1 * LANES
            sum_0_0 = zero()
            sum_1_0 = zero()
            sum_2_0 = zero()
            sum_3_0 = zero()
            for _k in range(count):
                weight_0 = load_lanes(weights, weight_at)
                weight_1 = load_lanes(weights, weight_at + weight_width * LANES)
                weight_2 = load_lanes(weights, weight_at + 2 * weight_width * LANES)
                weight_3 = load_lanes(weights, weight_at + 3 * weight_width * LANES)
                input_0 = load_lanes(inputs, input_at)
                sum_0_0 += weight_0 * input_0
                sum_1_0 += weight_1 * input_0
                sum_2_0 += weight_2 * input_0
                sum_3_0 += weight_3 * input_0
                weight_at += weight_step * LANES
                input_at += 1 * LANES
            if adds:
                add_lanes(outputs, output_at, sum_0_0)
                add_lanes(outputs, output_at + LANES, sum_1_0)
                add_lanes(outputs, output_at + 2 * LANES, sum_2_0)
                add_lanes(outputs, output_at + 3 * LANES, sum_3_0)
            else:
                store_lanes(outputs, output_at, sum_0_0)
                store_lanes(outputs, output_at + LANES, sum_1_0)
                store_lanes(outputs, output_at + 2 * LANES, sum_2_0)
                store_lanes(outputs, output_at + 3 * LANES, sum_3_0)
            done = w + 4
        for w in range(done, width - 1, 2):
            weight_at = (group * weight_group + w * weight_width) * LANES
            input_at, output_at = group * input_group, group * output_group + w * 1 * LANES
            sum_0_0 = zero()
            sum_1_0 = zero()
            for _k in range(count):
                weight_0 = load_lanes(weights, weight_at)
                weight_1 = load_lanes(weights, weight_at + weight_width * LANES)
                input_0 = load_lanes(inputs, input_at)
                sum_0_0 += weight_0 * input_0
                sum_1_0 += weight_1 * input_0
                weight_at += weight_step * LANES
                input_at += 1 * LANES
            if adds:
                add_lanes(outputs, output_at, sum_0_0)
                add_lanes(outputs, output_at + LANES, sum_1_0)
            else:
                store_lanes(outputs, output_at, sum_0_0)
                store_lanes(outputs, output_at + LANES, sum_1_0)
            done = w + 2
        for w in range(done, width):
            weight_at = (group * weight_group + w * weight_width) * LANES
            input_at, output_at = group * input_group, group * output_group + w * 1 * LANES
            sum_0_0 = zero()
            for _k in range(count):
                weight_0 = load_lanes(weights, weight_at)
                input_0 = load_lanes(inputs, input_at)
                sum_0_0 += weight_0 * input_0
                weight_at += weight_step * LANES
                input_at += 1 * LANES
            if adds:
                add_lanes(outputs, output_at, sum_0_0)
            else:
                store_lanes(outputs, output_at, sum_0_0)
            done = w + 1


@kernel
def mix_1(_batch, call):
    """outputs[w, m] = Σ_k weights[k, w] · inputs[k, m], or += where it adds"""
    (
        groups, count, width, weight_group, weight_step, weight_width, input_group, output_group,
        adds, weights, inputs, outputs,
    ) = load_indices(call, 12)
    for group in range(groups):
        done = 0
        for w in range(done, width - 3, 4):
            weight_at = group * weight_group + w * weight_width
            input_at, output_at = group * input_group, group * output_group + w * 3 * LANES
            sum_0_0 = zero()
            sum_0_1 = zero()
            sum_0_2 = zero()
            sum_1_0 = zero()
            sum_1_1 = zero()
            sum_1_2 = zero()
            sum_2_0 = zero()
            sum_2_1 = zero()
            sum_2_2 = zero()
            sum_3_0 = zero()
            sum_3_1 = zero()
            sum_3_2 = zero()
            for _k in range(count):
                weight_0 = load_scalar(weights, weight_at)
                weight_1 = load_scalar(weights, weight_at + weight_width)
                weight_2 = load_scalar(weights, weight_at + 2 * weight_width)
                weight_3 = load_scalar(weights, weight_at + 3 * weight_width)
                input_0 = load_lanes(inputs, input_at)
                sum_0_0 += weight_0 * input_0
                sum_1_0 += weight_1 * input_0
                sum_2_0 += weight_2 * input_0
                sum_3_0 += weight_3 * input_0
                input_1 = load_lanes(inputs, input_at + LANES)
                sum_0_1 += weight_0 * input_1
                sum_1_1 += weight_1 * input_1
                sum_2_1 += weight_2 * input_1
                sum_3_1 += weight_3 * input_1
                input_2 = load_lanes(inputs, input_at + 2 * LANES)
                sum_0_2 += weight_0 * input_2
                sum_1_2 += weight_1 * input_2
                sum_2_2 += weight_2 * input_2
                sum_3_2 += weight_3 * input_2
                weight_at += weight_step
                input_at += 3 * LANES
            if adds:
                add_lanes(outputs, output_at, sum_0_0)
                add_lanes(outputs, output_at + LANES, sum_0_1)
                add_lanes(outputs, output_at + 2 * LANES, sum_0_2)
                add_lanes(outputs, output_at + 3 * LANES, sum_1_0)
                add_lanes(outputs, output_at + 4 * LANES, sum_1_1)
                add_lanes(outputs, output_at + 5 * LANES, sum_1_2)
                add_lanes(outputs, output_at + 6 * LANES, sum_2_0)
                add_lanes(outputs, output_at + 7 * LANES, sum_2_1)
                add_lanes(outputs, output_at + 8 * LANES, sum_2_2)
                add_lanes(outputs, output_at + 9 * LANES, sum_3_0)
                add_lanes(outputs, output_at + 10 * LANES, sum_3_1)
                add_lanes(outputs, output_at + 11 * LANES, sum_3_2)
            else:
                store_lanes(outputs, output_at, sum_0_0)
                store_lanes(outputs, output_at + LANES, sum_0_1)
                store_lanes(outputs, output_at + 2 * LANES, sum_0_2)
                store_lanes(outputs, output_at + 3 * LANES, sum_1_0)
                store_lanes(outputs, output_at + 4 * LANES, sum_1_1)
                store_lanes(outputs, output_at + 5 * LANES, sum_1_2)
                store_lanes(outputs, output_at + 6 * LANES, sum_2_0)
                store_lanes(outputs, output_at + 7 * LANES, sum_2_1)
                store_lanes(outputs, output_at + 8 * LANES, sum_2_2)
                store_lanes(outputs, output_at + 9 * LANES, sum_3_0)
                store_lanes(outputs, output_at + 10 * LANES, sum_3_1)
                store_lanes(outputs, output_at + 11 * LANES, sum_3_2)
            done = w + 4
        for w in range(done, width - 1, 2):
            weight_at = group * weight_group + w * weight_width
            input_at, output_at = group * input_group, group * output_group + w * 3 * LANES
            sum_0_0 = zero()
            sum_0_1 = zero()
            sum_0_2 = zero()
            sum_1_0 = zero()
            sum_1_1 = zero()
            sum_1_2 = zero()
            for _k in range(count):
                weight_0 = load_scalar(weights, weight_at)
                weight_1 = load_scalar(weights, weight_at + weight_width)
                input_0 = load_lanes(inputs, input_at)
                sum_0_0 += weight_0 * input_0
                sum_1_0 += weight_1 * input_0
                input_1 = load_lanes(inputs, input_at + LANES)
                sum_0_1 += weight_0 * input_1
                sum_1_1 += weight_1 * input_1
                input_2 = load_lanes(inputs, input_at + 2 * LANES)
                sum_0_2 += weight_0 * input_2
                sum_1_2 += weight_1 * input_2
                weight_at += weight_step
                input_at += 3 * LANES
            if adds:
                add_lanes(outputs, output_at, sum_0_0)
                add_lanes(outputs, output_at + LANES, sum_0_1)
                add_lanes(outputs, output_at + 2 * LANES, sum_0_2)
                add_lanes(outputs, output_at + 3 * LANES, sum_1_0)
                add_lanes(outputs, output_at + 4 * LANES, sum_1_1)
                add_lanes(outputs, output_at + 5 * LANES, sum_1_2)
            else:
                store_lanes(outputs, output_at, sum_0_0)
                store_lanes(outputs, output_at + LANES, sum_0_1)
                store_lanes(outputs, output_at + 2 * LANES, sum_0_2)
                store_lanes(outputs, output_at + 3 * LANES, sum_1_0)
                store_lanes(outputs, output_at + 4 * LANES, sum_1_1)
                store_lanes(outputs, output_at + 5 * LANES, sum_1_2)
            done = w + 2
        for w in range(done, width):
            weight_at = group * weight_group + w * weight_width
            input_at, output_at = group * input_group, group * output_group + w * 3 * LANES
            sum_0_0 = zero()
            sum_0_1 = zero()
            sum_0_2 = zero()
            for _k in range(count):
                weight_0 = load_scalar(weights, weight_at)
                input_0 = load_lanes(inputs, input_at)
                sum_0_0 += weight_0 * input_0
                input_1 = load_lanes(inputs, input_at + LANES)
                sum_0_1 += weight_0 * input_1
                input_2 = load_lanes(inputs, input_at + 2 * LANES)
                sum_0_2 += weight_0 * input_2
                weight_at += weight_step
                input_at += 3 * LANES
            if adds:
                add_lanes(outputs, output_at, sum_0_0)
                add_lanes(outputs, output_at + LANES, sum_0_1)
                add_lanes(outputs, output_at + 2 * LANES, sum_0_2)
            else:
                store_lanes(outputs, output_at, sum_0_0)
                store_lanes(outputs, output_at + LANES, sum_0_1)
                store_lanes(outputs, output_at + 2 * LANES, sum_0_2)
            done = w + 1


@kernel
def mix_rows_1(_batch, call):
    """The same by weights of a row's own, which are in lanes too."""
    (
        groups, count, width, weight_group, weight_step, weight_width, input_group, output_group,
        adds, weights, inputs, outputs,
    ) = load_indices(call, 12)
    for group in range(groups):
        done = 0
        for w in range(done, width - 3, 4):
            weight_at = (group * weight_group + w * weight_width) * LANES
            input_at, output_at = group * input_group, group * output_group + w * 3 * LANES
            sum_0_0 = zero()
            sum_0_1 = zero()
            sum_0_2 = zero()
            sum_1_0 = zero()
            sum_1_1 = zero()
            sum_1_2 = zero()
            sum_2_0 = zero()
            sum_2_1 = zero()
            sum_2_2 = zero()
            sum_3_0 = zero()
            sum_3_1 = zero()
            sum_3_2 = zero()
            for _k in range(count):
                weight_0 = load_lanes(weights, weight_at)
                weight_1 = load_lanes(weights, weight_at + weight_width * LANES)
                weight_2 = load_lanes(weights, weight_at + 2 * weight_width * LANES)
                weight_3 = load_lanes(weights, weight_at + 3 * weight_width * LANES)
                input_0 = load_lanes(inputs, input_at)
                sum_0_0 += weight_0 * input_0
                sum_1_0 += weight_1 * input_0
                sum_2_0 += weight_2 * input_0
                sum_3_0 += weight_3 * input_0
                input_1 = load_lanes(inputs, input_at + LANES)
                sum_0_1 += weight_0 * input_1
                sum_1_1 += weight_1 * input_1
                sum_2_1 += weight_2 * input_1
                sum_3_1 += weight_3 * input_1
                input_2 = load_lanes(inputs, input_at + 2 * LANES)
                sum_0_2 += weight_0 * input_2
                sum_1_2 += weight_1 * input_2
                sum_2_2 += weight_2 * input_2
                sum_3_2 += weight_3 * input_2
                weight_at += weight_step * LANES
                input_at += 3 * LANES
            if adds:
                add_lanes(outputs, output_at, sum_0_0)
                add_lanes(outputs, output_at + LANES, sum_0_1)
                add_lanes(outputs, output_at + 2 * LANES, sum_0_2)
                add_lanes(outputs, output_at + 3 * LANES, sum_1_0)
                add_lanes(outputs, output_at + 4 * LANES, sum_1_1)
                add_lanes(outputs, output_at + 5 * LANES, sum_1_2)
                add_lanes(outputs, output_at + 6 * LANES, sum_2_0)
                add_lanes(outputs, output_at + 7 * LANES, sum_2_1)
                add_lanes(outputs, output_at + 8 * LANES, sum_2_2)
                add_lanes(outputs, output_at + 9 * LANES, sum_3_0)
                add_lanes(outputs, output_at + 10 * LANES, sum_3_1)
                add_lanes(outputs, output_at + 11 * LANES, sum_3_2)
            else:
                store_lanes(outputs, output_at, sum_0_0)
                store_lanes(outputs, output_at + LANES, sum_0_1)
                store_lanes(outputs, output_at + 2 * LANES, sum_0_2)
                store_lanes(outputs, output_at + 3 * LANES, sum_1_0)
                store_lanes(outputs, output_at + 4 * LANES, sum_1_1)
                store_lanes(outputs, output_at + 5 * LANES, sum_1_2)
                store_lanes(outputs, output_at + 6 * LANES, sum_2_0)
                store_lanes(outputs, output_at + 7 * LANES, sum_2_1)
                store_lanes(outputs, output_at + 8 * LANES, sum_2_2)
                store_lanes(outputs, output_at + 9 * LANES, sum_3_0)
                store_lanes(outputs, output_at + 10 * LANES, sum_3_1)
                store_lanes(outputs, output_at + 11 * LANES, sum_3_2)
            done = w + 4
        for w in range(done, width - 1, 2):
            weight_at = (group * weight_group + w * weight_width) * LANES
            input_at, output_at = group * input_group, group * output_group + w * 3 * LANES
            sum_0_0 = zero()
            sum_0_1 = zero()
            sum_0_2 = zero()
            sum_1_0 = zero()
            sum_1_1 = zero()
            sum_1_2 = zero()
            for _k in range(count):
                weight_0 = load_lanes(weights, weight_at)
                weight_1 = load_lanes(weights, weight_at + weight_width * LANES)
                input_0 = load_lanes(inputs, input_at)
                sum_0_0 += weight_0 * input_0
                sum_1_0 += weight_1 * input_0
                input_1 = load_lanes(inputs, input_at + LANES)
                sum_0_1 += weight_0 * input_1
                sum_1_1 += weight_1 * input_1
                input_2 = load_lanes(inputs, input_at + 2 * LANES)
                sum_0_2 += weight_0 * input_2
                sum_1_2 += weight_1 * input_2
                weight_at += weight_step * LANES
                input_at += 3 * LANES
            if adds:
                add_lanes(outputs, output_at, sum_0_0)
                add_lanes(outputs, output_at + LANES, sum_0_1)
                add_lanes(outputs, output_at + 2 * LANES, sum_0_2)
                add_lanes(outputs, output_at + 3 * LANES, sum_1_0)
                add_lanes(outputs, output_at + 4 * LANES, sum_1_1)
                add_lanes(outputs, output_at + 5 * LANES, sum_1_2)
            else:
                store_lanes(outputs, output_at, sum_0_0)
                store_lanes(outputs, output_at + LANES, sum_0_1)
                store_lanes(outputs, output_at + 2 * LANES, sum_0_2)
                store_lanes(outputs, output_at + 3 * LANES, sum_1_0)
                store_lanes(outputs, output_at + 4 * LANES, sum_1_1)
                store_lanes(outputs, output_at + 5 * LANES, sum_1_2)
            done = w + 2
        for w in range(done, width):
            weight_at = (group * weight_group + w * weight_width) * LANES
            input_at, output_at = group * input_group, group * output_group + w * 3 * LANES
            sum_0_0 = zero()
            sum_0_1 = zero()
            sum_0_2 = zero()
            for _k in range(count):
                weight_0 = load_lanes(weights, weight_at)
                input_0 = load_lanes(inputs, input_at)
                sum_0_0 += weight_0 * input_0
                input_1 = load_lanes(inputs, input_at + LANES)
                sum_0_1 += weight_0 * input_1
                input_2 = load_lanes(inputs, input_at + 2 * LANES)
                sum_0_2 += weight_0 * input_2
                weight_at += weight_step * LANES
                input_at += 3 * LANES
            if adds:
                add_lanes(outputs, output_at, sum_0_0)
                add_lanes(outputs, output_at + LANES, sum_0_1)
                add_lanes(outputs, output_at + 2 * LANES, sum_0_2)
            else:
                store_lanes(outputs, output_at, sum_0_0)
                store_lanes(outputs, output_at + LANES, sum_0_1)
                store_lanes(outputs, output_at + 2 * LANES, sum_0_2)
            done = w + 1


@kernel
def d_mix_0(_batch, call):
    """d_weights[k, w][row] += Σ_m inputs[k, m] · grads[w, m], over some tiles, lane by lane"""
    (
        groups, count, width, weight_group, weight_step, weight_width, input_group, grad_group,
        tiles, input_tile, grad_tile, d_weights, inputs, grads,
    ) = load_indices(call, 14)
    for group in range(groups):
        begun = 0
        for k in range(begun, count - 3, 4):
            done = 0
            for w in range(done, width - 3, 4):
                weight_at = (group * weight_group + k * weight_step + w * weight_width) * LANES
                input_at = group * input_group + k * 1 * LANES
                grad_at = group * grad_group + w * 1 * LANES
                row_0_at = weight_at
                row_1_at = weight_at + weight_step * LANES
                row_2_at = weight_at + 2 * weight_step * LANES
                row_3_at = weight_at + 3 * weight_step * LANES
                sum_0_0 = load_lanes(d_weights, row_0_at)
                sum_0_1 = load_lanes(d_weights, row_0_at + weight_width * LANES)
                sum_0_2 = load_lanes(d_weights, row_0_at + 2 * weight_width * LANES)
                sum_0_3 = load_lanes(d_weights, row_0_at + 3 * weight_width * LANES)
                sum_1_0 = load_lanes(d_weights, row_1_at)
                sum_1_1 = load_lanes(d_weights, row_1_at + weight_width * LANES)
                sum_1_2 = load_lanes(d_weights, row_1_at + 2 * weight_width * LANES)
                sum_1_3 = load_lanes(d_weights, row_1_at + 3 * weight_width * LANES)
                sum_2_0 = load_lanes(d_weights, row_2_at)
                sum_2_1 = load_lanes(d_weights, row_2_at + weight_width * LANES)
                sum_2_2 = load_lanes(d_weights, row_2_at + 2 * weight_width * LANES)
                sum_2_3 = load_lanes(d_weights, row_2_at + 3 * weight_width * LANES)
                sum_3_0 = load_lanes(d_weights, row_3_at)
                sum_3_1 = load_lanes(d_weights, row_3_at + weight_width * LANES)
                sum_3_2 = load_lanes(d_weights, row_3_at + 2 * weight_width * LANES)
                sum_3_3 = load_lanes(d_weights, row_3_at + 3 * weight_width * LANES)
                for _tile in range(tiles):
                    input_0 = load_lanes(inputs, input_at)
                    input_1 = load_lanes(inputs, input_at + LANES)
                    input_2 = load_lanes(inputs, input_at + 2 * LANES)
                    input_3 = load_lanes(inputs, input_at + 3 * LANES)
                    grad = load_lanes(grads, grad_at)
                    sum_0_0 += input_0 * grad
                    sum_1_0 += input_1 * grad
                    sum_2_0 += input_2 * grad
                    sum_3_0 += input_3 * grad
                    grad = load_lanes(grads, grad_at + LANES)
                    sum_0_1 += input_0 * grad
                    sum_1_1 += input_1 * grad
                    sum_2_1 += input_2 * grad
                    sum_3_1 += input_3 * grad
                    grad = load_lanes(grads, grad_at + 2 * LANES)
                    sum_0_2 += input_0 * grad
                    sum_1_2 += input_1 * grad
                    sum_2_2 += input_2 * grad
                    sum_3_2 += input_3 * grad
                    grad = load_lanes(grads, grad_at + 3 * LANES)
                    sum_0_3 += input_0 * grad
                    sum_1_3 += input_1 * grad
                    sum_2_3 += input_2 * grad
                    sum_3_3 += input_3 * grad
                    input_at += input_tile
                    grad_at += grad_tile
                store_lanes(d_weights, row_0_at, sum_0_0)
                store_lanes(d_weights, row_0_at + weight_width * LANES, sum_0_1)
                store_lanes(d_weights, row_0_at + 2 * weight_width * LANES, sum_0_2)
                store_lanes(d_weights, row_0_at + 3 * weight_width * LANES, sum_0_3)
                store_lanes(d_weights, row_1_at, sum_1_0)
                store_lanes(d_weights, row_1_at + weight_width * LANES, sum_1_1)
                store_lanes(d_weights, row_1_at + 2 * weight_width * LANES, sum_1_2)
                store_lanes(d_weights, row_1_at + 3 * weight_width * LANES, sum_1_3)
                store_lanes(d_weights, row_2_at, sum_2_0)
                store_lanes(d_weights, row_2_at + weight_width * LANES, sum_2_1)
                store_lanes(d_weights, row_2_at + 2 * weight_width * LANES, sum_2_2)
                store_lanes(d_weights, row_2_at + 3 * weight_width * LANES, sum_2_3)
                store_lanes(d_weights, row_3_at, sum_3_0)
                store_lanes(d_weights, row_3_at + weight_width * LANES, sum_3_1)
                store_lanes(d_weights, row_3_at + 2 * weight_width * LANES, sum_3_2)
                store_lanes(d_weights, row_3_at + 3 * weight_width * LANES, sum_3_3)
                done = w + 4
            for w in range(done, width):
                weight_at = (group * weight_group + k * weight_step + w * weight_width) * LANES
                input_at = group * input_group + k * 1 * LANES
                grad_at = group * grad_group + w * 1 * LANES
                row_0_at = weight_at
                row_1_at = weight_at + weight_step * LANES
                row_2_at = weight_at + 2 * weight_step * LANES
                row_3_at = weight_at + 3 * weight_step * LANES
                sum_0_0 = load_lanes(d_weights, row_0_at)
                sum_1_0 = load_lanes(d_weights, row_1_at)
                sum_2_0 = load_lanes(d_weights, row_2_at)
                sum_3_0 = load_lanes(d_weights, row_3_at)
                for _tile in range(tiles):
                    input_0 = load_lanes(inputs, input_at)
                    input_1 = load_lanes(inputs, input_at + LANES)
                    input_2 = load_lanes(inputs, input_at + 2 * LANES)
                    input_3 = load_lanes(inputs, input_at + 3 * LANES)
                    grad = load_lanes(grads, grad_at)
                    sum_0_0 += input_0 * grad
                    sum_1_0 += input_1 * grad
                    sum_2_0 += input_2 * grad
                    sum_3_0 += input_3 * grad
                    input_at += input_tile
                    grad_at += grad_tile
                store_lanes(d_weights, row_0_at, sum_0_0)
                store_lanes(d_weights, row_1_at, sum_1_0)
                store_lanes(d_weights, row_2_at, sum_2_0)
                store_lanes(d_weights, row_3_at, sum_3_0)
                done = w + 1
            begun = k + 4
        for k in range(begun, count):
            done = 0
            for w in range(done, width - 3, 4):
                weight_at = (group * weight_group + k * weight_step + w * weight_width) * LANES
                input_at = group * input_group + k * 1 * LANES
                grad_at = group * grad_group + w * 1 * LANES
                row_0_at = weight_at
                sum_0_0 = load_lanes(d_weights, row_0_at)
                sum_0_1 = load_lanes(d_weights, row_0_at + weight_width * LANES)
                sum_0_2 = load_lanes(d_weights, row_0_at + 2 * weight_width * LANES)
                sum_0_3 = load_lanes(d_weights, row_0_at + 3 * weight_width * LANES)
                for _tile in range(tiles):
                    input_0 = load_lanes(inputs, input_at)
                    grad = load_lanes(grads, grad_at)
                    sum_0_0 += input_0 * grad
                    grad = load_lanes(grads, grad_at + LANES)
                    sum_0_1 += input_0 * grad
                    grad = load_lanes(grads, grad_at + 2 * LANES)
                    sum_0_2 += input_0 * grad
                    grad = load_lanes(grads, grad_at + 3 * LANES)
                    sum_0_3 += input_0 * grad
                    input_at += input_tile
                    grad_at += grad_tile
                store_lanes(d_weights, row_0_at, sum_0_0)
                store_lanes(d_weights, row_0_at + weight_width * LANES, sum_0_1)
                store_lanes(d_weights, row_0_at + 2 * weight_width * LANES, sum_0_2)
                store_lanes(d_weights, row_0_at + 3 * weight_width * LANES, sum_0_3)
                done = w + 4
            for w in range(done, width):
                weight_at = (group * weight_group + k * weight_step + w * weight_width) * LANES
                input_at = group * input_group + k * 1 * LANES
                grad_at = group * grad_group + w * 1 * LANES
                row_0_at = weight_at
                sum_0_0 = load_lanes(d_weights, row_0_at)
                for _tile in range(tiles):
                    input_0 = load_lanes(inputs, input_at)
                    grad = load_lanes(grads, grad_at)
                    sum_0_0 += input_0 * grad
                    input_at += input_tile
                    grad_at += grad_tile
                store_lanes(d_weights, row_0_at, sum_0_0)
                done = w + 1
            begun = k + 1


@kernel
def d_mix_1(_batch, call):
    """d_weights[k, w][row] += Σ_m inputs[k, m] · grads[w, m], over some tiles, lane by lane"""
    (
        groups, count, width, weight_group, weight_step, weight_width, input_group, grad_group,
        tiles, input_tile, grad_tile, d_weights, inputs, grads,
    ) = load_indices(call, 14)
    for group in range(groups):
        begun = 0
        for k in range(begun, count - 3, 4):
            done = 0
            for w in range(done, width - 3, 4):
                weight_at = (group * weight_group + k * weight_step + w * weight_width) * LANES
                input_at = group * input_group + k * 3 * LANES
                grad_at = group * grad_group + w * 3 * LANES
                row_0_at = weight_at
                row_1_at = weight_at + weight_step * LANES
                row_2_at = weight_at + 2 * weight_step * LANES
                row_3_at = weight_at + 3 * weight_step * LANES
                sum_0_0 = load_lanes(d_weights, row_0_at)
                sum_0_1 = load_lanes(d_weights, row_0_at + weight_width * LANES)
                sum_0_2 = load_lanes(d_weights, row_0_at + 2 * weight_width * LANES)
                sum_0_3 = load_lanes(d_weights, row_0_at + 3 * weight_width * LANES)
                sum_1_0 = load_lanes(d_weights, row_1_at)
                sum_1_1 = load_lanes(d_weights, row_1_at + weight_width * LANES)
                sum_1_2 = load_lanes(d_weights, row_1_at + 2 * weight_width * LANES)
                sum_1_3 = load_lanes(d_weights, row_1_at + 3 * weight_width * LANES)
                sum_2_0 = load_lanes(d_weights, row_2_at)
                sum_2_1 = load_lanes(d_weights, row_2_at + weight_width * LANES)
                sum_2_2 = load_lanes(d_weights, row_2_at + 2 * weight_width * LANES)
                sum_2_3 = load_lanes(d_weights, row_2_at + 3 * weight_width * LANES)
                sum_3_0 = load_lanes(d_weights, row_3_at)
                sum_3_1 = load_lanes(d_weights, row_3_at + weight_width * LANES)
                sum_3_2 = load_lanes(d_weights, row_3_at + 2 * weight_width * LANES)
                sum_3_3 = load_lanes(d_weights, row_3_at + 3 * weight_width * LANES)
                for _tile in range(tiles):
                    input_0 = load_lanes(inputs, input_at)
                    input_1 = load_lanes(inputs, input_at + 3 * LANES)
                    input_2 = load_lanes(inputs, input_at + 6 * LANES)
                    input_3 = load_lanes(inputs, input_at + 9 * LANES)
                    grad = load_lanes(grads, grad_at)
                    sum_0_0 += input_0 * grad
                    sum_1_0 += input_1 * grad
                    sum_2_0 += input_2 * grad
                    sum_3_0 += input_3 * grad
                    grad = load_lanes(grads, grad_at + 3 * LANES)
                    sum_0_1 += input_0 * grad
                    sum_1_1 += input_1 * grad
                    sum_2_1 += input_2 * grad
                    sum_3_1 += input_3 * grad
                    grad = load_lanes(grads, grad_at + 6 * LANES)
                    sum_0_2 += input_0 * grad
                    sum_1_2 += input_1 * grad
                    sum_2_2 += input_2 * grad
                    sum_3_2 += input_3 * grad
                    grad = load_lanes(grads, grad_at + 9 * LANES)
                    sum_0_3 += input_0 * grad
                    sum_1_3 += input_1 * grad
                    sum_2_3 += input_2 * grad
                    sum_3_3 += input_3 * grad
                    input_0 = load_lanes(inputs, input_at + LANES)
                    input_1 = load_lanes(inputs, input_at + 4 * LANES)
                    input_2 = load_lanes(inputs, input_at + 7 * LANES)
                    input_3 = load_lanes(inputs, input_at + 10 * LANES)
                    grad = load_lanes(grads, grad_at + LANES)
                    sum_0_0 += input_0 * grad
                    sum_1_0 += input_1 * grad
                    sum_2_0 += input_2 * grad
                    sum_3_0 += input_3 * grad
                    grad = load_lanes(grads, grad_at + 4 * LANES)
                    sum_0_1 += input_0 * grad
                    sum_1_1 += input_1 * grad
                    sum_2_1 += input_2 * grad
                    sum_3_1 += input_3 * grad
                    grad = load_lanes(grads, grad_at + 7 * LANES)
                    sum_0_2 += input_0 * grad
                    sum_1_2 += input_1 * grad
                    sum_2_2 += input_2 * grad
                    sum_3_2 += input_3 * grad
                    grad = load_lanes(grads, grad_at + 10 * LANES)
                    sum_0_3 += input_0 * grad
                    sum_1_3 += input_1 * grad
                    sum_2_3 += input_2 * grad
                    sum_3_3 += input_3 * grad
                    input_0 = load_lanes(inputs, input_at + 2 * LANES)
                    input_1 = load_lanes(inputs, input_at + 5 * LANES)
                    input_2 = load_lanes(inputs, input_at + 8 * LANES)
                    input_3 = load_lanes(inputs, input_at + 11 * LANES)
                    grad = load_lanes(grads, grad_at + 2 * LANES)
                    sum_0_0 += input_0 * grad
                    sum_1_0 += input_1 * grad
                    sum_2_0 += input_2 * grad
                    sum_3_0 += input_3 * grad
                    grad = load_lanes(grads, grad_at + 5 * LANES)
                    sum_0_1 += input_0 * grad
                    sum_1_1 += input_1 * grad
                    sum_2_1 += input_2 * grad
                    sum_3_1 += input_3 * grad
                    grad = load_lanes(grads, grad_at + 8 * LANES)
                    sum_0_2 += input_0 * grad
                    sum_1_2 += input_1 * grad
                    sum_2_2 += input_2 * grad
                    sum_3_2 += input_3 * grad
                    grad = load_lanes(grads, grad_at + 11 * LANES)
                    sum_0_3 += input_0 * grad
                    sum_1_3 += input_1 * grad
                    sum_2_3 += input_2 * grad
                    sum_3_3 += input_3 * grad
                    input_at += input_tile
                    grad_at += grad_tile
                store_lanes(d_weights, row_0_at, sum_0_0)
                store_lanes(d_weights, row_0_at + weight_width * LANES, sum_0_1)
                store_lanes(d_weights, row_0_at + 2 * weight_width * LANES, sum_0_2)
                store_lanes(d_weights, row_0_at + 3 * weight_width * LANES, sum_0_3)
                store_lanes(d_weights, row_1_at, sum_1_0)
                store_lanes(d_weights, row_1_at + weight_width * LANES, sum_1_1)
                store_lanes(d_weights, row_1_at + 2 * weight_width * LANES, sum_1_2)
                store_lanes(d_weights, row_1_at + 3 * weight_width * LANES, sum_1_3)
                store_lanes(d_weights, row_2_at, sum_2_0)
                store_lanes(d_weights, row_2_at + weight_width * LANES, sum_2_1)
                store_lanes(d_weights, row_2_at + 2 * weight_width * LANES, sum_2_2)
                store_lanes(d_weights, row_2_at + 3 * weight_width * LANES, sum_2_3)
                store_lanes(d_weights, row_3_at, sum_3_0)
                store_lanes(d_weights, row_3_at + weight_width * LANES, sum_3_1)
                store_lanes(d_weights, row_3_at + 2 * weight_width * LANES, sum_3_2)
                store_lanes(d_weights, row_3_at + 3 * weight_width * LANES, sum_3_3)
                done = w + 4
            for w in range(done, width):
                weight_at = (group * weight_group + k * weight_step + w * weight_width) * LANES
                input_at = group * input_group + k * 3 * LANES
                grad_at = group * grad_group + w * 3 * LANES
                row_0_at = weight_at
                row_1_at = weight_at + weight_step * LANES
                row_2_at = weight_at + 2 * weight_step * LANES
                row_3_at = weight_at + 3 * weight_step * LANES
                sum_0_0 = load_lanes(d_weights, row_0_at)
                sum_1_0 = load_lanes(d_weights, row_1_at)
                sum_2_0 = load_lanes(d_weights, row_2_at)
                sum_3_0 = load_lanes(d_weights, row_3_at)
                for _tile in range(tiles):
                    input_0 = load_lanes(inputs, input_at)
                    input_1 = load_lanes(inputs, input_at + 3 * LANES)
                    input_2 = load_lanes(inputs, input_at + 6 * LANES)
                    input_3 = load_lanes(inputs, input_at + 9 * LANES)
                    grad = load_lanes(grads, grad_at)
                    sum_0_0 += input_0 * grad
                    sum_1_0 += input_1 * grad
                    sum_2_0 += input_2 * grad
                    sum_3_0 += input_3 * grad
                    input_0 = load_lanes(inputs, input_at + LANES)
                    input_1 = load_lanes(inputs, input_at + 4 * LANES)
                    input_2 = load_lanes(inputs, input_at + 7 * LANES)
                    input_3 = load_lanes(inputs, input_at + 10 * LANES)
                    grad = load_lanes(grads, grad_at + LANES)
                    sum_0_0 += input_0 * grad
                    sum_1_0 += input_1 * grad
                    sum_2_0 += input_2 * grad
                    sum_3_0 += input_3 * grad
                    input_0 = load_lanes(inputs, input_at + 2 * LANES)
                    input_1 = load_lanes(inputs, input_at + 5 * LANES)
                    input_2 = load_lanes(inputs, input_at + 8 * LANES)
                    input_3 = load_lanes(inputs, input_at + 11 * LANES)
                    grad = load_lanes(grads, grad_at + 2 * LANES)
                    sum_0_0 += input_0 * grad
                    sum_1_0 += input_1 * grad
                    sum_2_0 += input_2 * grad
                    sum_3_0 += input_3 * grad
                    input_at += input_tile
                    grad_at += grad_tile
                store_lanes(d_weights, row_0_at, sum_0_0)
                store_lanes(d_weights, row_1_at, sum_1_0)
                store_lanes(d_weights, row_2_at, sum_2_0)
                store_lanes(d_weights, row_3_at, sum_3_0)
                done = w + 1
            begun = k + 4
        for k in range(begun, count):
            done = 0
            for w in range(done, width - 3, 4):
                weight_at = (group * weight_group + k * weight_step + w * weight_width) * LANES
                input_at = group * input_group + k * 3 * LANES
                grad_at = group * grad_group + w * 3 * LANES
                row_0_at = weight_at
                sum_0_0 = load_lanes(d_weights, row_0_at)
                sum_0_1 = load_lanes(d_weights, row_0_at + weight_width * LANES)
                sum_0_2 = load_lanes(d_weights, row_0_at + 2 * weight_width * LANES)
                sum_0_3 = load_lanes(d_weights, row_0_at + 3 * weight_width * LANES)
                for _tile in range(tiles):
                    input_0 = load_lanes(inputs, input_at)
                    grad = load_lanes(grads, grad_at)
                    sum_0_0 += input_0 * grad
                    grad = load_lanes(grads, grad_at + 3 * LANES)
                    sum_0_1 += input_0 * grad
                    grad = load_lanes(grads, grad_at + 6 * LANES)
                    sum_0_2 += input_0 * grad
                    grad = load_lanes(grads, grad_at + 9 * LANES)
                    sum_0_3 += input_0 * grad
                    input_0 = load_lanes(inputs, input_at + LANES)
                    grad = load_lanes(grads, grad_at + LANES)
                    sum_0_0 += input_0 * grad
                    grad = load_lanes(grads, grad_at + 4 * LANES)
                    sum_0_1 += input_0 * grad
                    grad = load_lanes(grads, grad_at + 7 * LANES)
                    sum_0_2 += input_0 * grad
                    grad = load_lanes(grads, grad_at + 10 * LANES)
                    sum_0_3 += input_0 * grad
                    input_0 = load_lanes(inputs, input_at + 2 * LANES)
                    grad = load_lanes(grads, grad_at + 2 * LANES)
                    sum_0_0 += input_0 * grad
                    grad = load_lanes(grads, grad_at + 5 * LANES)
                    sum_0_1 += input_0 * grad
                    grad = load_lanes(grads, grad_at + 8 * LANES)
                    sum_0_2 += input_0 * grad
                    grad = load_lanes(grads, grad_at + 11 * LANES)
                    sum_0_3 += input_0 * grad
                    input_at += input_tile
                    grad_at += grad_tile
                store_lanes(d_weights, row_0_at, sum_0_0)
                store_lanes(d_weights, row_0_at + weight_width * LANES, sum_0_1)
                store_lanes(d_weights, row_0_at + 2 * weight_width * LANES, sum_0_2)
                store_lanes(d_weights, row_0_at + 3 * weight_width * LANES, sum_0_3)
                done = w + 4
            for w in range(done, width):
                weight_at = (group * weight_group + k * weight_step + w * weight_width) * LANES
                input_at = group * input_group + k * 3 * LANES
                grad_at = group * grad_group + w * 3 * LANES
                row_0_at = weight_at
                sum_0_0 = load_lanes(d_weights, row_0_at)
                for _tile in range(tiles):
                    input_0 = load_lanes(inputs, input_at)
                    grad = load_lanes(grads, grad_at)
                    sum_0_0 += input_0 * grad
                    input_0 = load_lanes(inputs, input_at + LANES)
                    grad = load_lanes(grads, grad_at + LANES)
                    sum_0_0 += input_0 * grad
                    input_0 = load_lanes(inputs, input_at + 2 * LANES)
                    grad = load_lanes(grads, grad_at + 2 * LANES)
                    sum_0_0 += input_0 * grad
                    input_at += input_tile
                    grad_at += grad_tile
                store_lanes(d_weights, row_0_at, sum_0_0)
                done = w + 1
            begun = k + 1
