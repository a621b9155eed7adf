"""Object files of all kernels for one CPU level; `build` runs it, in a process for each level.

In that process Numba compiles for the level (`target`), whatever the machine is. It
compiles a kernel without `parallel`, so that one thread runs the loop over the chunks that it is
told of, and all functions to LLVM IR only, as in `_kernels.link_only`. To the kernel is added

    int32_t fastclust_LEVEL_KERNEL_TYPE(const int64_t *block)

which reads from the block, for each parameter in turn, the value of a scalar, or the address and
the shape of an array, and calls the kernel. All else becomes internal, so that LLVM removes what is
not needed, and the object is independent of its position. LLVM does what it does for the same
kernel in `jit`, so both have the same bits.

An object is kept under a name that holds a hash of the sources of its own kernel. An edit compiles
again what it can change, and no more.

Private names of Numba's are used here, as it has no public way; a build has one version of Numba.
"""

import ast
import contextlib
import functools
import hashlib
import importlib
import json
import multiprocessing
import os
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import llvmlite
import llvmlite.binding as ll
import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.np import arrayobj

from fastclust._extension import sources_hash
from fastclust._kernels import jit, link_only
from fastclust._kernels.registry import REGISTRY
from fastclust._native.build import LEVELS

WORD = ir.IntType(64)
STATUS = ir.IntType(32)

ALLOWED = {"log", "memcpy", "memset", "sched_yield", "sqrt", "sqrtf"}
"""Functions of the C library that kernels call (roots become instructions). What an extension could
not have, such as a part of Numba's runtime, is an error, and so is any other function: its bits may
depend on the library."""

MOST_PROCESSES = 8
"""Each takes some 100 MB."""


class Object(NamedTuple):
    """An object file, and how its kernel is called.

    Attributes
    ----------
    kernel : str
        Name of the kernel.
    dtype : str
        What `real` stands for.
    symbol : str
        Name of the entry.
    parameters : list of (str, str, int, bool)
        Name, dtype, number of axes, and whether it is written to.
    path : str
        The file.
    seconds : float
        What compiling took; 0 if the file was there.
    """

    kernel: str
    dtype: str
    symbol: str
    parameters: list[tuple[str, str, int, bool]]
    path: str
    seconds: float


def emit_all(level, folder):
    """Compile every kernel of the registry for a level, on all cores."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [
        folder / f"{kernel.__name__}-{dtype}-{_sources_hash(kernel.function.__module__)}.o"
        for kernel, dtype in REGISTRY
    ]
    n_processes = min(len(os.sched_getaffinity(0)), MOST_PROCESSES)
    context = multiprocessing.get_context("fork")  # which has the sources loaded
    with ProcessPoolExecutor(n_processes, context) as pool:  # raises an error if one is killed
        return list(pool.map(functools.partial(_emit_entry, level), range(len(paths)), paths))


def _emit_entry(level, i, path):
    kernel, dtype = REGISTRY[i]
    name = kernel.__name__
    symbol = f"fastclust_{level}_{name}_{dtype}"
    parameters = [
        (parameter, declared.name, ndim, parameter.endswith("_out"))
        for parameter, declared, ndim in kernel.signature.resolved(dtype)
    ]
    started = time.perf_counter()
    if not path.exists():
        code = _machine().emit_object(_emit_module(kernel, dtype, symbol))
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(code)
        os.replace(temporary, path)
    seconds = time.perf_counter() - started
    return Object(name, dtype, symbol, parameters, str(path), seconds)


# -- what an object depends on -------------------------------------------------------------------


@functools.cache
def _sources_hash(module):
    """Hash of the sources that a kernel's module imports, itself included, and of the compiler."""
    versions = numba.__version__, llvmlite.__version__, platform.python_version()
    target = numba.config.CPU_NAME, numba.config.CPU_FEATURES
    digest = hashlib.sha256(repr((versions, target)).encode())
    for name in sorted(_imported(module) | {__name__}):
        digest.update(name.encode() + b"\0" + _source(name))
    return digest.hexdigest()[:16]


def _source(module):
    """Source of a module, in bytes."""
    return Path(str(importlib.import_module(module).__file__)).read_bytes()


@functools.cache
def _imported(module):
    """Names of the modules of kernels that a module imports, and these in turn, itself included."""
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        tree = ast.parse(_source(name))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(jit.__package__):
                members = (f"{node.module}.{alias.name}" for alias in node.names)
                waiting += [node.module, *(member for member in members if member in sys.modules)]
    return found


# -- from a kernel to a module of LLVM IR ---------------------------------------------------------


def _machine():
    """LLVM's target machine, for the same CPU as Numba's."""
    target = ll.Target.from_triple(ll.get_process_triple())
    return target.create_target_machine(
        cpu=numba.config.CPU_NAME, features=numba.config.CPU_FEATURES, opt=3, reloc="pic",
        codemodel="default",
    )  # fmt: skip


@global_compiler_lock
def _emit_module(kernel, dtype, symbol):
    """Optimised LLVM IR of a kernel and its entry."""
    codegen = cpu_target.target_context.codegen()
    with _parts_only(codegen):
        dispatcher = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **jit.OPTIONS)(
            kernel.function
        )
        argument_types = jit.numba_types(kernel.signature, dtype)
        dispatcher.compile(argument_types)
        compiled = dispatcher.overloads[argument_types]
        module = compiled.library._final_module.clone()
        module.link_in(_entry_module(compiled.fndesc, symbol))
        _make_internal(module, symbol)
        for options in ({"loop_vectorize": codegen._loopvect, "slp_vectorize": False,
                         "opt": codegen._opt_level, "cost": "cheap"}, {}):  # fmt: skip
            passes, builder = codegen._module_pass_manager(**options)  # as Numba does in the end
            passes.run(module, builder)
        module.verify()
    _check(module, symbol)
    return module


@contextlib.contextmanager
def _parts_only(codegen):
    """Context in which no function becomes machine code of this process."""
    whole = codegen._library_class
    part = link_only._part_class(whole)
    part._unserialize = whole._unserialize
    codegen._library_class = part
    try:
        yield
    finally:
        codegen._library_class = whole


def _entry_module(fndesc, symbol):
    """Module with the entry, which reads the arguments of the kernel from a block of words."""
    context = cpu_target.target_context
    module = context.create_module(symbol)
    kernel_type = context.call_conv.get_function_type(fndesc.restype, fndesc.argtypes)
    kernel = ir.Function(module, kernel_type, fndesc.llvm_func_name)
    entry = ir.Function(module, ir.FunctionType(STATUS, [WORD.as_pointer()]), symbol)
    builder = ir.IRBuilder(entry.append_basic_block())
    words = _words(builder, entry.args[0])
    arguments = [_read_argument(context, builder, words, each) for each in fndesc.argtypes]
    status, _ = context.call_conv.call_function(
        builder, kernel, fndesc.restype, fndesc.argtypes, arguments
    )
    builder.ret(status.code)
    parsed = ll.parse_assembly(cgutils.normalize_ir_text(str(module)))
    parsed.verify()
    return parsed


def _words(builder, block):
    """Yield one word of the block after the other."""
    place = 0
    while True:
        yield builder.load(builder.gep(block, [ir.Constant(STATUS, place)]))
        place += 1


def _read_argument(context, builder, words, numba_type):
    """The next argument, in Numba's representation."""
    word = next(words)
    if numba_type == types.int64:
        return word
    if numba_type == types.float64:
        return builder.bitcast(word, ir.DoubleType())
    if not isinstance(numba_type, types.Array):
        raise TypeError(f"no kernel has had a parameter of {numba_type} yet")
    array = context.make_array(numba_type)(context, builder)
    shape = [next(words) for _ in range(numba_type.ndim)]
    itemsize = ir.Constant(WORD, context.get_abi_sizeof(context.get_data_type(numba_type.dtype)))
    strides = [itemsize]
    for extent in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], extent, flags=["nsw"]))
    data = builder.inttoptr(word, array.data.type)
    arrayobj.populate_array(array, data, shape, strides, itemsize, meminfo=None)
    return array._getvalue()


def _make_internal(module, symbol):
    """Hide all definitions but one, so that those which nothing uses are removed."""
    for function in module.functions:
        if not function.is_declaration:
            is_entry = function.name == symbol
            function.linkage = ll.Linkage.external if is_entry else ll.Linkage.internal
    for variable in module.global_variables:
        if not variable.is_declaration or variable.linkage == ll.Linkage.common:
            variable.linkage = ll.Linkage.internal


def _check(module, symbol):
    """Raise an error if the kernel can fail, or needs what an extension has not."""
    lines = map(str.strip, str(module.get_function(symbol)).splitlines())
    returned = {line for line in lines if line.startswith("ret ")}
    if returned != {"ret i32 0"}:
        raise RuntimeError(f"{symbol} can fail: {', '.join(sorted(returned))}")
    declared = [function.name for function in module.functions if function.is_declaration]
    declared += [variable.name for variable in module.global_variables if variable.is_declaration]
    missing = [name for name in declared if not name.startswith("llvm.") and name not in ALLOWED]
    if missing:
        raise RuntimeError(f"{symbol} needs {', '.join(sorted(missing))}")


def main(sources):
    """Write the objects of a level into a folder, and what they are, as JSON, into a file.

    `sources` is the hash of the sources before they were loaded.
    """
    level, folder, report = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    objects = [emitted._asdict() for emitted in emit_all(level, folder)]
    if sources_hash() != sources:
        raise RuntimeError("sources were edited while kernels were compiled")
    compiler = f"Numba {numba.__version__}"
    if numba.config.CPU_NAME != LEVELS[level].cpu:
        compiler += f", tuned for {numba.config.CPU_NAME}"
    made = {"objects": objects, "sources": sources, "compiler": compiler}
    report.write_text(json.dumps(made))
