"""Explicit SIMD for Numba: the vector type, its operations, and nothing else.

A `Vector` holds one value of each of the LANES rows of a panel: 64 bytes, 16 float32 or 8 float64,
which is one AVX-512 register, two of AVX2, four of SSE2 or NEON. Arithmetic is vertical, lane by
lane, and where lanes are added up at the end of a sum, their order is fixed too. So the code fixes
the order of every sum, and no fastmath is needed. Only the modules of this package emit LLVM IR.

Multiply-add is LLVM's `fmuladd`, not `fma`: on a CPU without the instruction, `fma` becomes a
library call per lane.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

from fastclust._kernels.simd.sizes import VECTOR_BYTES


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


def vector_of(scalar):
    """Vector type that fills VECTOR_BYTES with this Numba scalar type."""
    return Vector(scalar, VECTOR_BYTES * 8 // scalar.bitwidth)


def _label_vector(vector):
    """Integer vector with as many lanes, and as wide lanes, as `vector`: masks then match."""
    return Vector({32: types.int32, 64: types.int64}[vector.scalar.bitwidth], vector.lanes)


# -- building blocks of IR ---------------------------------------------------------------------


def emit_splat(builder, scalar, vector_type):
    """Vector with this scalar in every lane."""
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


def emit_fmuladd(builder, a, b, c):
    """Vector a * b + c, in one rounding where the CPU can."""
    return _call_vector_intrinsic(builder, "llvm.fmuladd", a.type, [a, b, c])


def emit_sqrt(builder, x):
    """Square roots of the lanes."""
    return _call_vector_intrinsic(builder, "llvm.sqrt", x.type, [x])


def emit_address(context, builder, array_type, array, index_type, index, trailing=1):
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


def load_elements(context, builder, array_type, array, index_type, index, count):
    """The `count` scalars from array[index], or array[index, 0], on, as LLVM values."""
    trailing = _trailing(array_type, index_type)
    pointer = emit_address(context, builder, array_type, array, index_type, index, trailing)
    return [
        builder.load(builder.gep(pointer, [ir.Constant(ir.IntType(32), j)])) for j in range(count)
    ]


# -- vectors: from and to memory ---------------------------------------------------------------


def _trailing(array, index):
    """Axes that the index of a vector leaves open: 1, the lanes, or 0 if it says the first lane."""
    n_indices = index.count if isinstance(index, types.BaseTuple) else 1
    return 0 if n_indices == array.ndim else 1


@intrinsic
def load(typingctx, array, index):
    """Vector array[index, :], the last axis being the lanes; or the values from array[index] on."""
    vector = vector_of(array.dtype)

    def codegen(context, builder, signature, args):
        trailing = _trailing(array, index)
        pointer = emit_address(context, builder, array, args[0], index, args[1], trailing)
        llvm_type = context.get_value_type(vector)
        return builder.load(
            builder.bitcast(pointer, llvm_type.as_pointer()), align=array.dtype.bitwidth // 8
        )

    return vector(array, index), codegen


@intrinsic
def store(typingctx, array, index, value):
    """Set array[index, :], as in load, to the vector; integers are narrowed to array's type."""

    def codegen(context, builder, signature, args):
        trailing = _trailing(array, index)
        pointer = emit_address(context, builder, array, args[0], index, args[1], trailing)
        llvm_type = ir.VectorType(context.get_value_type(array.dtype), value.lanes)
        vector = args[2] if args[2].type == llvm_type else builder.trunc(args[2], llvm_type)
        pointer = builder.bitcast(pointer, llvm_type.as_pointer())
        builder.store(vector, pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, index, value), codegen


@intrinsic
def prefetch(typingctx, array, index):
    """Have the cache line of array[index] fetched: a hint, without effect on results."""

    def codegen(context, builder, signature, args):
        pointer = emit_address(context, builder, array, args[0], index, args[1], trailing=0)
        pointer = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        i32 = ir.IntType(32)
        function_type = ir.FunctionType(ir.VoidType(), [pointer.type, i32, i32, i32])
        function = cgutils.get_or_insert_function(
            builder.module, function_type, "llvm.prefetch.p0i8"
        )
        builder.call(function, [pointer, i32(0), i32(3), i32(1)])  # reading, all levels, data
        return context.get_dummy_value()

    return types.void(array, index), codegen


@intrinsic
def splat(typingctx, array, value):
    """Vector of array's type with `value` in every lane."""
    vector = vector_of(array.dtype)

    def codegen(context, builder, signature, args):
        scalar = context.cast(builder, args[1], value, array.dtype)
        return emit_splat(builder, scalar, context.get_value_type(vector))

    return vector(array, value), codegen


@intrinsic
def splat_labels(typingctx, array, value):
    """Label vector, to go with vectors of array's type, with `value` in every lane."""
    vector = _label_vector(vector_of(array.dtype))

    def codegen(context, builder, signature, args):
        scalar = context.cast(builder, args[1], value, vector.scalar)
        return emit_splat(builder, scalar, context.get_value_type(vector))

    return vector(array, value), codegen


@intrinsic
def lane(typingctx, vector, index):
    """Value of one lane."""

    def codegen(context, builder, signature, args):
        return builder.extract_element(args[0], args[1])

    return vector.scalar(vector, index), codegen


@intrinsic
def changed_lanes(typingctx, panels, new, new_index, old, old_index):
    """Bit mask of the lanes, as many as panels has, where new[new_index] != old[old_index]."""
    lanes = vector_of(panels.dtype).lanes

    def codegen(context, builder, signature, args):
        llvm_type = ir.VectorType(context.get_value_type(new.dtype), lanes)
        pointers = [
            emit_address(context, builder, new, args[1], new_index, args[2]),
            emit_address(context, builder, old, args[3], old_index, args[4]),
        ]
        a, b = (
            builder.load(builder.bitcast(pointer, llvm_type.as_pointer()), align=4)
            for pointer in pointers
        )
        mask = builder.bitcast(builder.icmp_signed("!=", a, b), ir.IntType(lanes))
        return builder.zext(mask, ir.IntType(64))

    return types.int64(panels, new, new_index, old, old_index), codegen


@intrinsic
def not_above_lanes(typingctx, a, b):
    """Bit mask of the lanes where a is not greater than b, NaN included."""

    def codegen(context, builder, signature, args):
        mask = builder.fcmp_unordered("<=", *args)
        return builder.zext(builder.bitcast(mask, ir.IntType(a.lanes)), ir.IntType(64))

    return types.int64(a, b), codegen


@intrinsic
def count_lanes(typingctx, mask):
    """Count the lanes in a bit mask."""

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
    vector = vector_of(array.dtype)

    def codegen(context, builder, signature, args):
        result = ir.Constant(context.get_value_type(vector), ir.Undefined)
        pointer = emit_address(context, builder, labels_array, args[1], index, args[2])
        for i in range(vector.lanes):
            position = ir.Constant(ir.IntType(32), i)
            label = builder.sext(builder.load(builder.gep(pointer, [position])), args[3].type)
            row_feature = context.make_tuple(
                builder, types.UniTuple(types.int64, 2), [label, args[3]]
            )
            pair = types.UniTuple(types.int64, 2)
            address = emit_address(context, builder, array, args[0], pair, row_feature, trailing=0)
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
_define_operator(operator.mul, ir.IRBuilder.fmul)
_define_operator(operator.truediv, ir.IRBuilder.fdiv)


def emit_minimum(builder, a, b):
    """Smaller value of each lane; b where either is NaN."""
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


@intrinsic
def minimum(typingctx, a, b):
    """Smaller value of each lane; b where either is NaN."""
    return a(a, b), lambda context, builder, signature, args: emit_minimum(builder, *args)


@intrinsic
def zero_unless_above(typingctx, a, x, limit):
    """Each lane of a where x > limit, 0 elsewhere."""

    def codegen(context, builder, signature, args):
        above = builder.fcmp_ordered(">", *args[1:])
        return builder.select(above, args[0], ir.Constant(args[0].type, None))

    return a(a, x, limit), codegen


def emit_where_observed(builder, value, x):
    """Each lane of value where x is not NaN, 0 elsewhere."""
    return builder.select(builder.fcmp_ordered("ord", x, x), value, ir.Constant(value.type, None))


@intrinsic
def where_observed(typingctx, value, x):
    """Each lane of value where x is not NaN, which stands for a missing value, 0 elsewhere."""
    return value(value, x), lambda context, builder, signature, args: emit_where_observed(
        builder, *args
    )


@intrinsic
def where_label(typingctx, x, labels, index, label):
    """Each lane of x where labels[index, lane] is this label, 0 elsewhere."""

    def codegen(context, builder, signature, args):
        llvm_type = ir.VectorType(context.get_value_type(labels.dtype), x.lanes)
        pointer = emit_address(context, builder, labels, args[1], index, args[2])
        of_lanes = builder.load(builder.bitcast(pointer, llvm_type.as_pointer()), align=4)
        wanted = emit_splat(builder, context.cast(builder, args[3], label, labels.dtype), llvm_type)
        is_wanted = builder.icmp_signed("==", of_lanes, wanted)
        return builder.select(is_wanted, args[0], ir.Constant(args[0].type, None))

    return x(x, labels, index, label), codegen


@intrinsic
def zero_doubles(typingctx, array):
    """Zeros of float64, one for each lane of a vector of array's type."""
    doubles = Vector(types.float64, vector_of(array.dtype).lanes)

    def codegen(context, builder, signature, args):
        return context.get_constant_null(doubles)

    return doubles(array), codegen


@intrinsic
def add_squares(typingctx, doubles, x):
    """Return doubles + x**2, in float64."""

    def codegen(context, builder, signature, args):
        x = args[1] if args[1].type == args[0].type else builder.fpext(args[1], args[0].type)
        return emit_fmuladd(builder, x, x, args[0])

    return doubles(doubles, x), codegen


@intrinsic
def add_products(typingctx, doubles, a, b):
    """Return doubles + a * b, in float64."""

    def codegen(context, builder, signature, args):
        total, *factors = args
        a, b = (f if f.type == total.type else builder.fpext(f, total.type) for f in factors)
        return emit_fmuladd(builder, a, b, total)

    return doubles(doubles, a, b), codegen


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c, in one rounding where the CPU can."""
    return a(a, b, c), lambda context, builder, signature, args: emit_fmuladd(builder, *args)
