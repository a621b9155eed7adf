"""Numba kernels: arrays and scalars in, arrays out. Importing a module here imports Numba.

The rules are in CONTRIBUTING.md. The order of reading: `simd` (vectors), `jit` (how a kernel is
compiled and launched), then one file per step: `rows`, `assign`, `centers`, `distances`,
`seeding`, `csr`.
"""
