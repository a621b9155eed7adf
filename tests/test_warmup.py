"""After `warmup` nothing that is called waits for a compiler."""

import pytest

import fastclust
from tests.processes import run_jit

USE_EVERYTHING = """
import sys

import fastclust
from fastclust._kernels.jit import Kernel
from tests.features import use_every_feature

dtype = sys.argv[1]
fastclust.warmup([dtype])

def compile_late(kernel, real_dtype, parallel):
    raise AssertionError(f"{kernel.__name__} {real_dtype} is not compiled, {parallel=}")

Kernel._compile = compile_late
use_every_feature(dtype)
"""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_is_compiled_later(cache, dtype):
    run_jit(USE_EVERYTHING, dtype, FASTCLUST_CACHE_DIR=str(cache), timeout=600)


@pytest.mark.parametrize("dtypes", [["float16"], ["float64", int], "float64"])
def test_types_are_those_of_the_kernels(dtypes):
    with pytest.raises(ValueError, match=r"dtypes are of float32, float64\. Got"):
        fastclust.warmup(dtypes)
