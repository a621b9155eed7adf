"""Numba kernels: arrays and scalars in, arrays out.

The rules are in CONTRIBUTING.md. There is a package for each subject: `rows` (packing, sorting),
`kmeans`, `mixture` and `metrics`. Below them are `simd`, which emits all LLVM IR (vectors, tiles),
and `jit`, which compiles and launches a kernel, with the notation of its `signature`, its file in
the `cache` and what `link_only` saves. `places` says where each kernel is, `registry` lists them.

Python gets its kernels by `fastclust._calls`, and imports no module here but those that work where
there is no Numba: `places`, `signature`, `launch`, `simd.sizes`, and of a subject `arguments` and
`constants` or `layout`. (`simd.sizes` asks Numba for the CPU where Numba compiles the kernels.)
"""
