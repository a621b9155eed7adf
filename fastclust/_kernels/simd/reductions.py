"""Reductions over the lanes of vectors: sums, in an order that the code fixes, and extremes."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastclust._kernels.simd.vectors import Vector, emit_address


def _emit_lane_sums(builder, vectors):
    """Vector whose lane i is the sum of the lanes of vectors[i]; they are a power of two in number.

    The halves of each vector are added until one value of it is left. The order of the additions
    depends on the number of vectors and of lanes alone.
    """

    def part(a, b, places):
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places)
        return builder.shuffle_vector(a, b, mask)

    width = vectors[0].type.count  # lanes of each sum so far
    while width > 1:
        half = width // 2
        # Two vectors become one. When one is left, it becomes half as long.
        pairs = (
            [(v, None) for v in vectors]
            if len(vectors) == 1
            else zip(vectors[::2], vectors[1::2], strict=True)
        )
        added = []
        for a, b in pairs:
            total = a.type.count * (1 if b is None else 2)
            low = [i for i in range(total) if i % width < half]
            b = a if b is None else b
            added.append(builder.fadd(part(a, b, low), part(a, b, [i + half for i in low])))
        vectors, width = added, half
    return vectors[0]


@intrinsic
def add_lane_sums(typingctx, array, index, tile):
    """Add the sum of the lanes of tile[i] to array[index + i], float64, for every i."""
    doubles = Vector(types.float64, tile.dtype.lanes)

    def codegen(context, builder, signature, args):
        pointer = emit_address(context, builder, array, args[0], index, args[1], trailing=0)
        vectors = cgutils.unpack_tuple(builder, args[2])
        wide = context.get_value_type(doubles)
        if vectors[0].type != wide:
            vectors = [builder.fpext(v, wide) for v in vectors]
        first = 0
        while first < len(vectors):
            count = min(doubles.lanes, 1 << ((len(vectors) - first).bit_length() - 1))
            sums = _emit_lane_sums(builder, vectors[first : first + count])
            place = builder.gep(pointer, [ir.Constant(ir.IntType(32), first)])
            place = builder.bitcast(place, sums.type.as_pointer())
            builder.store(builder.fadd(builder.load(place, align=8), sums), place, align=8)
            first += count
        return context.get_dummy_value()

    return types.void(array, index, tile), codegen


def _lane_extreme(builder, vector, predicate):
    """Least or greatest lane, halving the vector: the order of comparisons changes no result."""
    while vector.type.count > 1:
        half = vector.type.count // 2
        indices = [
            ir.Constant(ir.VectorType(ir.IntType(32), half), list(range(first, first + half)))
            for first in (0, half)
        ]
        low, high = (builder.shuffle_vector(vector, vector, part) for part in indices)
        vector = builder.select(builder.fcmp_ordered(predicate, low, high), low, high)
    return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))


@intrinsic
def greatest_lane(typingctx, vector):
    """Greatest value of all lanes."""
    return vector.scalar(vector), lambda context, builder, signature, args: _lane_extreme(
        builder, args[0], ">"
    )


@intrinsic
def least_lane(typingctx, vector):
    """Least value of all lanes."""
    return vector.scalar(vector), lambda context, builder, signature, args: _lane_extreme(
        builder, args[0], "<"
    )
