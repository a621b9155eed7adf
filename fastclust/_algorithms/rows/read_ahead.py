"""Blocks that a thread reads ahead, while the kernels work on the one before."""

import _thread
import queue
from typing import Any

import numpy as np

from fastclust._algorithms.arrays import aligned_empty


def read_ahead(cut, shape, dtype):
    """Yield what cut(buffers) yields, which runs in a thread of its own, one block ahead.

    As in `_threads.map_in_order`, nothing waits on a condition variable written in Python, which an
    interrupt may leave locked.

    Parameters
    ----------
    cut : callable
        Is given an iterator over free buffers, and yields them, or parts of them, filled.
    shape : tuple of int
        Shape of a buffer.
    dtype : dtype
        Its type.
    """
    free, full = queue.SimpleQueue[Any](), queue.SimpleQueue[Any]()
    running = _thread.allocate_lock()
    buffers = [aligned_empty(shape, dtype) for _ in range(2)]
    stopped = False

    def free_buffers():
        while (number := free.get()) is not None and not stopped:
            yield buffers[number]

    def work():
        error = None
        try:
            for block in cut(free_buffers()):
                full.put(block)
        except BaseException as raised:
            error = raised
        full.put(error)
        running.release()

    running.acquire()
    _thread.start_new_thread(work, ())
    number = 0
    try:
        free.put(0)
        free.put(1)
        while isinstance(block := full.get(), np.ndarray):
            yield block
            free.put(number)
            number = 1 - number
        if block is not None:
            raise block
    finally:
        stopped = True
        free.put(None)
        running.acquire()  # waits until the thread has ended
