"""What Numba and LLVM compile for: a CPU level, tuned for this machine or for none in particular.

It is called before Numba is imported, which reads the environment then.
"""

import os

import llvmlite.binding

from fastclust._native.build import LEVELS

BASELINE = {"64bit", "cmov", "crc32", "cx8", "fxsr", "mmx", "sse", "sse2", "x87"}
"""Features of every x86-64 CPU, or part of others ("crc32" of "sse4.2")."""


def set_target(level, tuned):
    """Have Numba compile for a level.

    Parameters
    ----------
    level : str
        Name of the level.
    tuned : bool
        Whether LLVM chooses and orders its instructions as suits this machine's CPU
        (``benchmarks/ablate_constants.py tuned`` measures what that gains). Features that are not
        of the level are left out in any case, so that the code runs on every CPU that has it.
    """
    environment = LEVELS[level].environment
    if tuned:
        of_level = {feature[1:] for feature in LEVELS[level].features.split(",")}
        known = set(llvmlite.binding.get_host_cpu_features()) - of_level - BASELINE
        features = [LEVELS[level].features, *(f"-{feature}" for feature in sorted(known))]
        environment = {
            "NUMBA_CPU_NAME": llvmlite.binding.get_host_cpu_name(),
            "NUMBA_CPU_FEATURES": ",".join(features),
        }
    os.environ.update(environment)
