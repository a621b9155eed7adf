"""Which machine code this process runs: compiled ahead of time, in an extension, or Numba's."""

LEVEL = None
"""CPU level ("v2", "v3" or "v4", of x86-64) of the kernels in the extension; None for Numba's."""
