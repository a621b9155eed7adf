"""A team: the threads of one launch, which share the chunks of many steps.

An algorithm of many short steps would start and join its threads in each. Here a launch starts them
once, and each takes a chunk whenever it has finished one. The thread that finishes the last chunk
of a step also does the serial end of the step, and then opens the next step or dismisses the team.
No thread waits for one that has not begun: where other programs, or the spinning threads of a BLAS,
hold a core, the others go on without it.

The chunks do not depend on which thread takes them, so results are the same to the bit.

    for _worker in prange(n_workers):
        team = team_out[:]
        chunk = take_chunk(team, n_chunks)
        while chunk >= 0:
            ...                                      # the chunk's share of the step
            if is_last_of_step(team):
                ...                                  # the serial end of the step
                end_step(team, n_chunks, goes_on)
            chunk = take_chunk(team, n_chunks)

Who launches a kernel with a parameter `team_out` opens the first step (`launch.open_team`), so that
a thread joins by calling the kernel. Without chunks there is one turn, for the end of the step.

The view `team` is needed. Numba promises LLVM that the arrays of a prange do not overlap, and LLVM
concludes that nobody else writes to them: it would keep in a register what another thread has
changed. Where there is a view, Numba makes no such promise (tests/kernels/simd/test_team.py).
"""

import os

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastclust._kernels.jit import inner
from fastclust._kernels.launch import DONE, OPEN, TAKEN
from fastclust._kernels.simd.vectors import emit_address

DISMISSED = -1

PATIENCE = 2000
"""How often a waiting thread reads the counters before it offers its core
(benchmarks/ablate_constants.py)."""


@intrinsic
def _atomic_load(typingctx, counters, row):
    """Value counters[row, 0]; all that its writer wrote before it is then visible."""

    def codegen(context, builder, signature, args):
        pointer = emit_address(context, builder, counters, args[0], row, args[1])
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(counters, row), codegen


@intrinsic
def _atomic_store(typingctx, counters, row, value):
    """Set counters[row, 0]; all that was written before it is visible to who reads the value."""

    def codegen(context, builder, signature, args):
        pointer = emit_address(context, builder, counters, args[0], row, args[1])
        builder.store_atomic(args[2], pointer, "release", 8)
        return context.get_dummy_value()

    return types.void(counters, row, types.int64), codegen


@intrinsic
def _atomic_increment(typingctx, counters, row):
    """Add 1 to counters[row, 0]; return its new value."""

    def codegen(context, builder, signature, args):
        pointer = emit_address(context, builder, counters, args[0], row, args[1])
        one = ir.Constant(ir.IntType(64), 1)
        return builder.add(builder.atomic_rmw("add", pointer, one, "acq_rel"), one)

    return types.int64(counters, row), codegen


@intrinsic
def _replace(typingctx, counters, row, expected, value):
    """Set counters[row, 0] if it is as expected; return whether it was."""

    def codegen(context, builder, signature, args):
        pointer = emit_address(context, builder, counters, args[0], row, args[1])
        result = builder.cmpxchg(pointer, args[2], args[3], "acq_rel", "acquire")
        return builder.extract_value(result, 1)

    return types.boolean(counters, row, types.int64, types.int64), codegen


def _call(builder, name, result_type):
    """Call a function without arguments: an LLVM intrinsic, or one of the C library."""
    function_type = ir.FunctionType(result_type, [])
    builder.call(cgutils.get_or_insert_function(builder.module, function_type, name), [])


@intrinsic
def _pause(typingctx):
    """Tell the core that this thread waits, where there is an instruction for it."""

    def codegen(context, builder, signature, args):
        if builder.module.triple.startswith(("x86_64", "i686")):
            _call(builder, "llvm.x86.sse2.pause", ir.VoidType())
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def _offer_core(typingctx):
    """Let another thread run on this core, where the system has a call for it."""

    def codegen(context, builder, signature, args):
        if os.name == "posix":
            _call(builder, "sched_yield", ir.IntType(32))
        return context.get_dummy_value()

    return types.void(), codegen


@inner
def take_chunk(team_out, n_chunks):
    """Wait for a chunk and return its index, for this thread alone; -1 once dismissed.

    Every second step takes the chunks from the last to the first: what the step before has read
    last is still in the cache.
    """
    n_looks = 0
    while True:
        n_open = _atomic_load(team_out, OPEN)
        if n_open == DISMISSED:
            return -1
        n_taken = _atomic_load(team_out, TAKEN)
        if n_taken >= n_open:
            if n_looks < PATIENCE:
                _pause()
            else:
                _offer_core()
            n_looks += 1
        elif _replace(team_out, TAKEN, n_taken, n_taken + 1):
            step, place = divmod(n_taken, n_chunks)
            return n_chunks - 1 - place if step % 2 else place


@inner
def is_last_of_step(team_out):
    """Count a chunk as done; return whether it was the step's last: all others then wait."""
    return _atomic_increment(team_out, DONE) == _atomic_load(team_out, OPEN)


@inner
def end_step(team_out, n_chunks, goes_on):
    """Open the next step, or dismiss the team."""
    n_open = _atomic_load(team_out, OPEN) + n_chunks if goes_on else DISMISSED
    _atomic_store(team_out, OPEN, n_open)
