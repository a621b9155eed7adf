"""Sums of values of blocks: their order is that of a tree, whoever adds them."""

import pytest

from fastclust._algorithms.rows.merging import FAN_IN, merge, sum_tree


def bracketed(a, b):
    return f"({a} {b})"


@pytest.mark.parametrize("n", [*range(1, 3 * FAN_IN), 63, 64, 65, 72, 511, 512, 513, 700])
def test_values_that_follow_one_another_are_added_as_in_a_tree(n):
    values = nodes = [str(i) for i in range(n)]
    while len(nodes) > 1:
        groups = [nodes[i : i + FAN_IN] for i in range(0, len(nodes), FAN_IN)]
        nodes = [merge(group, bracketed) for group in groups]
    assert sum_tree(iter(values), bracketed) == nodes[0]
