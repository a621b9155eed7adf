"""Statistics of blocks of rows, added in an order that depends on the number of blocks alone.

The order is that of a tree in which a node is the sum of up to `FAN_IN` consecutive ones: whoever
adds, and whatever is ready first, the result has the same bits.
"""

import functools
import operator
from typing import Any

FAN_IN = 8
"""Most values that one node of the tree adds up."""


def merge(values, add=operator.add):
    """Sum of the values of one node, added from the first to the last."""
    return functools.reduce(add, values)


def sum_tree(values, add=operator.add):
    """Sum of values that come one after the other, of which few are held at a time.

    Parameters
    ----------
    values : iterable
        At least one value.
    add : callable, default=operator.add
        Returns the sum of two.
    """
    levels: list[list[Any]] = []  # of each level of the tree, the values that wait for their node
    for value in values:
        for level in levels:
            level.append(value)
            if len(level) < FAN_IN:
                break
            value = merge(level, add)
            level.clear()
        else:
            levels.append([value])
    waiting: list[Any] = []
    for level in levels:
        level.extend(waiting)
        waiting = [merge(level, add)] if level else []
    return waiting[0]
