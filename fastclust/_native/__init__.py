"""Kernels compiled ahead of time: how the extension `_fastclust_kernels` is built.

Nothing here runs in a fit. `build` compiles every kernel for some CPU levels, each in processes
that run `emit`, and links the objects with `runtime.c`, which checks arguments, starts threads and
chooses the level. `target` says what LLVM compiles for. `hatch_build.py` calls `build` when a wheel
is made; `_extension` finds what was built, and `_calls` calls it.
"""
