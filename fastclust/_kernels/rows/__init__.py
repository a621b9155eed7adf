"""Kernels on the rows themselves: packing, sorting."""
