"""Explicit SIMD for Numba: the vector type, its operations, and nothing else.

A `Vector` holds one value of each of the LANES rows of a panel: 64 bytes, 16 float32 or 8 float64,
which is one AVX-512 register, two of AVX2, four of SSE2 or NEON. Every operation is vertical, lane
by lane: no kernel ever reduces across lanes, so the code fixes the order of every sum and no
fastmath is needed. This is the only file that emits LLVM IR.

A *tile* is a tuple of vectors, one per center: the accumulators that stay in registers. Operations
on tiles are single intrinsics, so that a kernel says `acc = fma_tile(acc, x, centers, (t, f))`
where C would repeat a line per center.

Multiply-add is LLVM's `fmuladd`, not `fma`: on a CPU without the instruction, `fma` becomes a
library call per lane (measured: 1.1 GFLOP/s against 15).
"""

import operator

import llvmlite.binding
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

VECTOR_BYTES = 64


def _has_avx512():
    """Whether code is compiled for 32 registers of 64 bytes."""
    if numba.config.CPU_NAME or numba.config.CPU_FEATURES:
        return "+avx512f" in (numba.config.CPU_FEATURES or "")
    return bool(llvmlite.binding.get_host_cpu_features().get("avx512f"))


TILE = 8 if _has_avx512() else 6
"""Centers in the register tile of the nearest-center search (benchmarks/bench_kernels.py)."""

HALF_TILE = TILE // 2
"""Centers in the tile that is used where a tile is at most half full."""

DISTANCE_TILE = 4
"""Centers in the register tile of |x - c|^2, which holds sums beside the distances."""


class Vector(types.Type):
    """Numba type of a SIMD vector of `lanes` values of the Numba type `scalar`."""

    def __init__(self, scalar, lanes):
        self.scalar = scalar
        self.lanes = lanes
        super().__init__(name=f"Vector({scalar}, {lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        element = dmm[fe_type.scalar].get_value_type()
        super().__init__(dmm, fe_type, ir.VectorType(element, fe_type.lanes))


def _vector_of(scalar):
    """Vector type that fills VECTOR_BYTES with this Numba scalar type."""
    return Vector(scalar, VECTOR_BYTES * 8 // scalar.bitwidth)


def _label_vector(vector):
    """Integer vector with as many lanes, and as wide lanes, as `vector`: masks then match."""
    return Vector({32: types.int32, 64: types.int64}[vector.scalar.bitwidth], vector.lanes)


# -- building blocks of IR ---------------------------------------------------------------------


def _splat(builder, scalar, vector_type):
    undefined = ir.Constant(vector_type, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    all_from_lane_0 = ir.Constant(ir.VectorType(ir.IntType(32), vector_type.count), None)
    return builder.shuffle_vector(first, undefined, all_from_lane_0)


def _call_vector_intrinsic(builder, name, vector_type, args):
    """Call LLVM's intrinsic `name` on vectors (llvmlite's declare_intrinsic fails for these)."""
    element = {"float": "f32", "double": "f64"}[str(vector_type.element)]
    function_type = ir.FunctionType(vector_type, [vector_type] * len(args))
    full_name = f"{name}.v{vector_type.count}{element}"
    return builder.call(
        cgutils.get_or_insert_function(builder.module, function_type, full_name), args
    )


def _fmuladd(builder, a, b, c):
    return _call_vector_intrinsic(builder, "llvm.fmuladd", a.type, [a, b, c])


def _address(context, builder, array_type, array, index_type, index, trailing=1):
    """Address of array[index] + (0,) * trailing; checked when NUMBA_BOUNDSCHECK is on."""
    indices = (
        cgutils.unpack_tuple(builder, index) if isinstance(index_type, types.BaseTuple) else [index]
    )
    intp = context.get_value_type(types.intp)
    indices = [i if i.type == intp else builder.sext(i, intp) for i in indices] + [
        intp(0)
    ] * trailing
    if len(indices) != array_type.ndim:
        raise TypeError(f"{len(indices)} indices, lanes included, for {array_type}")
    ary = context.make_array(array_type)(context, builder, array)
    return cgutils.get_item_pointer(
        context, builder, array_type, ary, indices, boundscheck=context.enable_boundscheck
    )


def _load_elements(context, builder, array_type, array, index_type, index, count):
    """The `count` scalars at array[index], as LLVM values."""
    pointer = _address(context, builder, array_type, array, index_type, index)
    return [
        builder.load(builder.gep(pointer, [ir.Constant(ir.IntType(32), j)])) for j in range(count)
    ]


# -- vectors: from and to memory ---------------------------------------------------------------


@intrinsic
def load(typingctx, array, index):
    """Vector array[index, :], the last axis being the lanes."""
    vector = _vector_of(array.dtype)

    def codegen(context, builder, signature, args):
        pointer = _address(context, builder, array, args[0], index, args[1])
        llvm_type = context.get_value_type(vector)
        return builder.load(
            builder.bitcast(pointer, llvm_type.as_pointer()), align=array.dtype.bitwidth // 8
        )

    return vector(array, index), codegen


@intrinsic
def store(typingctx, array, index, value):
    """Set array[index, :] to the vector; integers are narrowed to the array's type."""

    def codegen(context, builder, signature, args):
        pointer = _address(context, builder, array, args[0], index, args[1])
        llvm_type = ir.VectorType(context.get_value_type(array.dtype), value.lanes)
        vector = args[2] if args[2].type == llvm_type else builder.trunc(args[2], llvm_type)
        pointer = builder.bitcast(pointer, llvm_type.as_pointer())
        builder.store(vector, pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, index, value), codegen


@intrinsic
def splat(typingctx, array, value):
    """Vector of array's type with `value` in every lane."""
    vector = _vector_of(array.dtype)

    def codegen(context, builder, signature, args):
        scalar = context.cast(builder, args[1], value, array.dtype)
        return _splat(builder, scalar, context.get_value_type(vector))

    return vector(array, value), codegen


@intrinsic
def splat_labels(typingctx, array, value):
    """Label vector, to go with vectors of array's type, with `value` in every lane."""
    vector = _label_vector(_vector_of(array.dtype))

    def codegen(context, builder, signature, args):
        scalar = context.cast(builder, args[1], value, vector.scalar)
        return _splat(builder, scalar, context.get_value_type(vector))

    return vector(array, value), codegen


@intrinsic
def lane(typingctx, vector, index):
    """Value of one lane."""

    def codegen(context, builder, signature, args):
        return builder.extract_element(args[0], args[1])

    return vector.scalar(vector, index), codegen


@intrinsic
def changed_lanes(typingctx, labels, array, index):
    """Bit mask of the lanes where the label vector differs from array[index, :]."""

    def codegen(context, builder, signature, args):
        pointer = _address(context, builder, array, args[1], index, args[2])
        llvm_type = ir.VectorType(context.get_value_type(array.dtype), labels.lanes)
        old = builder.load(builder.bitcast(pointer, llvm_type.as_pointer()), align=4)
        new = args[0] if args[0].type == llvm_type else builder.trunc(args[0], llvm_type)
        mask = builder.bitcast(builder.icmp_signed("!=", new, old), ir.IntType(labels.lanes))
        return builder.zext(mask, ir.IntType(64))

    return types.int64(labels, array, index), codegen


@intrinsic
def not_positive_lanes(typingctx, vector):
    """Bit mask of the lanes that are not greater than 0, NaN included."""

    def codegen(context, builder, signature, args):
        zero = ir.Constant(args[0].type, None)
        mask = builder.fcmp_unordered("<=", args[0], zero)
        return builder.zext(builder.bitcast(mask, ir.IntType(vector.lanes)), ir.IntType(64))

    return types.int64(vector), codegen


@intrinsic
def count_bits(typingctx, mask):
    """Count the lanes of a bit mask."""

    def codegen(context, builder, signature, args):
        return builder.ctpop(args[0])

    return types.int64(mask), codegen


@intrinsic
def lowest_lane(typingctx, mask):
    """Number of the first lane in a bit mask that is not 0."""

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(mask), codegen


@intrinsic
def gather(typingctx, array, labels_array, index, feature):
    """Vector array[labels_array[index, lane], feature] for every lane."""
    vector = _vector_of(array.dtype)

    def codegen(context, builder, signature, args):
        result = ir.Constant(context.get_value_type(vector), ir.Undefined)
        pointer = _address(context, builder, labels_array, args[1], index, args[2])
        for i in range(vector.lanes):
            position = ir.Constant(ir.IntType(32), i)
            label = builder.sext(builder.load(builder.gep(pointer, [position])), args[3].type)
            row_feature = context.make_tuple(
                builder, types.UniTuple(types.int64, 2), [label, args[3]]
            )
            pair = types.UniTuple(types.int64, 2)
            address = _address(context, builder, array, args[0], pair, row_feature, trailing=0)
            result = builder.insert_element(result, builder.load(address), position)
        return result

    return vector(array, labels_array, index, feature), codegen


# -- vectors: arithmetic -----------------------------------------------------------------------


def _define_operator(function, emit):
    """Give an operator its meaning on two vectors of one type."""

    @intrinsic
    def on_vectors(typingctx, a, b):
        return a(a, b), lambda context, builder, signature, args: emit(builder, *args)

    @overload(function, jit_options={"forceinline": True})
    def on_equal_types(a, b):
        if isinstance(a, Vector) and a == b:
            return lambda a, b: on_vectors(a, b)


_define_operator(operator.add, ir.IRBuilder.fadd)
_define_operator(operator.sub, ir.IRBuilder.fsub)


def _emit_minimum(builder, a, b):
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


@intrinsic
def minimum(typingctx, a, b):
    """Smaller value of each lane; b where either is NaN."""
    return a(a, b), lambda context, builder, signature, args: _emit_minimum(builder, *args)


@intrinsic
def square_root(typingctx, a):
    """Square root of each lane, 0 where it is negative."""

    def codegen(context, builder, signature, args):
        zero = ir.Constant(args[0].type, None)
        positive = builder.select(builder.fcmp_ordered(">", args[0], zero), args[0], zero)
        return _call_vector_intrinsic(builder, "llvm.sqrt", args[0].type, [positive])

    return a(a), codegen


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c, in one rounding where the CPU can."""
    return a(a, b, c), lambda context, builder, signature, args: _fmuladd(builder, *args)


# -- tiles -------------------------------------------------------------------------------------


@intrinsic(prefer_literal=True)
def splat_tile(typingctx, array, index, width):
    """Tile whose vector j has array[index, j] in every lane; `width` is a constant."""
    vector = _vector_of(array.dtype)
    tile = types.UniTuple(vector, width.literal_value)

    def codegen(context, builder, signature, args):
        llvm_type = context.get_value_type(vector)
        scalars = _load_elements(context, builder, array, args[0], index, args[1], tile.count)
        return context.make_tuple(builder, tile, [_splat(builder, s, llvm_type) for s in scalars])

    return tile(array, index, width), codegen


@intrinsic(prefer_literal=True)
def zero_tile(typingctx, array, width):
    """Tile of `width` zero vectors of array's type."""
    vector = _vector_of(array.dtype)
    tile = types.UniTuple(vector, width.literal_value)

    def codegen(context, builder, signature, args):
        return context.get_constant_null(tile)

    return tile(array, width), codegen


@intrinsic
def fma_tile(typingctx, acc, x, array, index):
    """Return acc[j] + x * array[index, j] for every j."""

    def codegen(context, builder, signature, args):
        accs = cgutils.unpack_tuple(builder, args[0])
        scalars = _load_elements(context, builder, array, args[2], index, args[3], acc.count)
        new = [
            _fmuladd(builder, args[1], _splat(builder, s, a.type), a)
            for s, a in zip(scalars, accs, strict=True)
        ]
        return context.make_tuple(builder, acc, new)

    return acc(acc, x, array, index), codegen


@intrinsic
def square_diff_tile(typingctx, acc, x, array, index):
    """Return acc[j] + (x - array[index, j])**2 for every j."""

    def codegen(context, builder, signature, args):
        accs = cgutils.unpack_tuple(builder, args[0])
        scalars = _load_elements(context, builder, array, args[2], index, args[3], acc.count)
        diffs = [builder.fsub(args[1], _splat(builder, s, args[1].type)) for s in scalars]
        return context.make_tuple(
            builder, acc, [_fmuladd(builder, d, d, a) for d, a in zip(diffs, accs, strict=True)]
        )

    return acc(acc, x, array, index), codegen


@intrinsic
def minimum_tile(typingctx, acc, x):
    """Return min(acc[j], x) for every j."""

    def codegen(context, builder, signature, args):
        new = [_emit_minimum(builder, a, args[1]) for a in cgutils.unpack_tuple(builder, args[0])]
        return context.make_tuple(builder, acc, new)

    return acc(acc, x), codegen


@intrinsic
def first_of_tile(typingctx, tile):
    """Return tile[0]."""

    def codegen(context, builder, signature, args):
        return builder.extract_value(args[0], 0)

    return tile.dtype(tile), codegen


@intrinsic
def scale_add_tile(typingctx, acc, tile, scale):
    """Return acc[j] + tile[j] * scale for every j."""

    def codegen(context, builder, signature, args):
        pairs = zip(*(cgutils.unpack_tuple(builder, t) for t in args[:2]), strict=True)
        new = [_fmuladd(builder, t, args[2], a) for a, t in pairs]
        return context.make_tuple(builder, acc, new)

    return acc(acc, tile, scale), codegen


@intrinsic
def store_lane_sums(typingctx, array, index, tile):
    """Set array[index, j] to the sum of the lanes of tile[j], in float64, first lane first."""

    def codegen(context, builder, signature, args):
        pointer = _address(context, builder, array, args[0], index, args[1])
        for j, vector in enumerate(cgutils.unpack_tuple(builder, args[2])):
            total = ir.Constant(ir.DoubleType(), 0.0)
            for i in range(tile.dtype.lanes):
                value = builder.extract_element(vector, ir.Constant(ir.IntType(32), i))
                value = context.cast(builder, value, tile.dtype.scalar, types.float64)
                total = builder.fadd(total, value)
            builder.store(total, builder.gep(pointer, [ir.Constant(ir.IntType(32), j)]))
        return context.get_dummy_value()

    return types.void(array, index, tile), codegen


@intrinsic
def store_tile(typingctx, array, index, tile):
    """Set array[index, j, :] to tile[j] for every j."""

    def codegen(context, builder, signature, args):
        pointer = _address(context, builder, array, args[0], index, args[1], trailing=2)
        vectors = cgutils.unpack_tuple(builder, args[2])
        pointer = builder.bitcast(pointer, vectors[0].type.as_pointer())
        for j, vector in enumerate(vectors):
            place = builder.gep(pointer, [ir.Constant(ir.IntType(32), j)])
            builder.store(vector, place, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, index, tile), codegen


@intrinsic
def argmin_tile(typingctx, best, labels, acc, first):
    """(minimum, its label) of the running (best, labels) and the tile of centers from `first`."""
    result = types.Tuple((best, labels))

    def codegen(context, builder, signature, args):
        best_value, label_value, accs, j = (
            args[0],
            args[1],
            cgutils.unpack_tuple(builder, args[2]),
            args[3],
        )
        j = context.cast(builder, j, first, labels.scalar)
        for offset, a in enumerate(accs):
            closer = builder.fcmp_ordered("<", a, best_value)
            label = _splat(builder, builder.add(j, j.type(offset)), label_value.type)
            best_value = builder.select(closer, a, best_value)
            label_value = builder.select(closer, label, label_value)
        return context.make_tuple(builder, result, [best_value, label_value])

    return result(best, labels, acc, first), codegen


@intrinsic
def two_nearest_tile(typingctx, best, second, labels, acc, first):
    """As argmin_tile, and the running second smallest value with it."""
    result = types.Tuple((best, second, labels))

    def codegen(context, builder, signature, args):
        best_value, second_value, label_value, accs, j = *args[:3], args[3], args[4]
        accs = cgutils.unpack_tuple(builder, accs)
        j = context.cast(builder, j, first, labels.scalar)
        for offset, a in enumerate(accs):
            closer = builder.fcmp_ordered("<", a, best_value)
            label = _splat(builder, builder.add(j, j.type(offset)), label_value.type)
            farther = builder.select(closer, best_value, a)
            second_value = _emit_minimum(builder, farther, second_value)
            best_value = builder.select(closer, a, best_value)
            label_value = builder.select(closer, label, label_value)
        return context.make_tuple(builder, result, [best_value, second_value, label_value])

    return result(best, second, labels, acc, first), codegen
