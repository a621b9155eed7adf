"""Numba kernels: arrays and scalars in, arrays out. Importing a module here imports Numba.

The rules are in CONTRIBUTING.md. There is a package for each subject: `rows` (packing, sorting),
`kmeans`, `mixture` and `metrics`. Below them are `simd`, which emits all LLVM IR (vectors, tiles),
and `jit`, which compiles and launches a kernel, with the notation of its `signature`, its file in
the `cache` and what `link_only` saves. `registry` lists all kernels.
"""
