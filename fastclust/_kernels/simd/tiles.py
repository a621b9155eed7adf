"""Register tiles: tuples of vectors, one for each of several centers.

They are the accumulators that stay in registers. Operations on tiles are single intrinsics, so that
a kernel says `acc = fma_tile(acc, x, centers, (t, f))` where C would repeat a line for each center.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastclust._kernels.simd.vectors import (
    Vector,
    emit_address,
    emit_fmuladd,
    emit_minimum,
    emit_splat,
    emit_where_observed,
    load_elements,
    vector_of,
)


@intrinsic(prefer_literal=True)
def splat_tile(typingctx, array, index, width):
    """Tile of `width` (a constant) vectors: array[index, j], or array[index + j], in every lane."""
    vector = vector_of(array.dtype)
    tile = types.UniTuple(vector, width.literal_value)

    def codegen(context, builder, signature, args):
        llvm_type = context.get_value_type(vector)
        scalars = load_elements(context, builder, array, args[0], index, args[1], tile.count)
        return context.make_tuple(
            builder, tile, [emit_splat(builder, s, llvm_type) for s in scalars]
        )

    return tile(array, index, width), codegen


@intrinsic(prefer_literal=True)
def zero_tile(typingctx, array, width):
    """Tile of `width` zero vectors of array's type."""
    vector = vector_of(array.dtype)
    tile = types.UniTuple(vector, width.literal_value)

    def codegen(context, builder, signature, args):
        return context.get_constant_null(tile)

    return tile(array, width), codegen


@intrinsic
def fma_tile(typingctx, acc, x, array, index):
    """Return acc[j] + x * array[index, j] for every j."""

    def codegen(context, builder, signature, args):
        accs = cgutils.unpack_tuple(builder, args[0])
        scalars = load_elements(context, builder, array, args[2], index, args[3], acc.count)
        new = [
            emit_fmuladd(builder, args[1], emit_splat(builder, s, a.type), a)
            for s, a in zip(scalars, accs, strict=True)
        ]
        return context.make_tuple(builder, acc, new)

    return acc(acc, x, array, index), codegen


@intrinsic
def fma_vectors(typingctx, acc, x, array, index):
    """Return acc[j] + x * array[index + j, :] for every j, counting in the last place of index.

    Where acc is of float64 and x and the array are not, they are widened first.
    """

    def codegen(context, builder, signature, args):
        accs = cgutils.unpack_tuple(builder, args[0])
        wide, narrow = accs[0].type, args[1].type

        def widened(vector):
            return vector if narrow == wide else builder.fpext(vector, wide)

        pointer = emit_address(context, builder, array, args[2], index, args[3])
        pointer = builder.bitcast(pointer, narrow.as_pointer())
        factor, new = widened(args[1]), []
        for j, a in enumerate(accs):
            place = builder.gep(pointer, [ir.Constant(ir.IntType(32), j)])
            vector = builder.load(place, align=array.dtype.bitwidth // 8)
            new.append(emit_fmuladd(builder, factor, widened(vector), a))
        return context.make_tuple(builder, acc, new)

    return acc(acc, x, array, index), codegen


@intrinsic
def square_diff_tile(typingctx, acc, x, array, index):
    """Return acc[j] + (x - array[index, j])**2 for every j.

    One vector is finished after the other: LLVM then keeps all of acc in registers.
    """

    def codegen(context, builder, signature, args):
        accs = cgutils.unpack_tuple(builder, args[0])
        scalars = load_elements(context, builder, array, args[2], index, args[3], acc.count)
        for j, s in enumerate(scalars):
            difference = builder.fsub(args[1], emit_splat(builder, s, args[1].type))
            accs[j] = emit_fmuladd(builder, difference, difference, accs[j])
        return context.make_tuple(builder, acc, accs)

    return acc(acc, x, array, index), codegen


@intrinsic
def observed_diff_tile(typingctx, acc, x, array, index):
    """As square_diff_tile; the lanes where x is NaN, which is missing there, stay as they are."""

    def codegen(context, builder, signature, args):
        accs = cgutils.unpack_tuple(builder, args[0])
        scalars = load_elements(context, builder, array, args[2], index, args[3], acc.count)
        for j, s in enumerate(scalars):
            difference = builder.fsub(args[1], emit_splat(builder, s, args[1].type))
            difference = emit_where_observed(builder, difference, args[1])
            accs[j] = emit_fmuladd(builder, difference, difference, accs[j])
        return context.make_tuple(builder, acc, accs)

    return acc(acc, x, array, index), codegen


@intrinsic
def minimum_tile(typingctx, acc, x):
    """Return min(acc[j], x) for every j."""

    def codegen(context, builder, signature, args):
        new = [emit_minimum(builder, a, args[1]) for a in cgutils.unpack_tuple(builder, args[0])]
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
        new = [emit_fmuladd(builder, t, args[2], a) for a, t in pairs]
        return context.make_tuple(builder, acc, new)

    return acc(acc, tile, scale), codegen


@intrinsic
def store_lane_sums(typingctx, array, index, tile):
    """Set array[index, j] to the sum of tile[j] in float64, in the order of the lanes."""

    def codegen(context, builder, signature, args):
        pointer = emit_address(context, builder, array, args[0], index, args[1])
        for j, vector in enumerate(cgutils.unpack_tuple(builder, args[2])):
            total = ir.Constant(ir.DoubleType(), 0.0)
            for i in range(tile.dtype.lanes):
                value = builder.extract_element(vector, ir.Constant(ir.IntType(32), i))
                value = context.cast(builder, value, tile.dtype.scalar, types.float64)
                total = builder.fadd(total, value)
            builder.store(total, builder.gep(pointer, [ir.Constant(ir.IntType(32), j)]))
        return context.get_dummy_value()

    return types.void(array, index, tile), codegen


@intrinsic(prefer_literal=True)
def zero_doubles_tile(typingctx, array, width):
    """Tile of `width` vectors of zeros of float64, with as many lanes as array's type has."""
    doubles = Vector(types.float64, vector_of(array.dtype).lanes)
    tile = types.UniTuple(doubles, width.literal_value)

    def codegen(context, builder, signature, args):
        return context.get_constant_null(tile)

    return tile(array, width), codegen


@intrinsic
def store_tile(typingctx, array, index, tile):
    """Set array[index + j, :] to tile[j] for every j, counting in the last place of the index."""

    def codegen(context, builder, signature, args):
        pointer = emit_address(context, builder, array, args[0], index, args[1])
        vectors = cgutils.unpack_tuple(builder, args[2])
        pointer = builder.bitcast(pointer, vectors[0].type.as_pointer())
        for j, vector in enumerate(vectors):
            place = builder.gep(pointer, [ir.Constant(ir.IntType(32), j)])
            builder.store(vector, place, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, index, tile), codegen


def _emit_argmin(builder, best, label, vectors, first_label):
    """Lower (best, label) to the least of the vectors, whose labels count from first_label on."""
    for offset, vector in enumerate(vectors):
        closer = builder.fcmp_ordered("<", vector, best)
        new = builder.add(first_label, ir.Constant(label.type, [offset] * label.type.count))
        best = builder.select(closer, vector, best)
        label = builder.select(closer, new, label)
    return best, label


@intrinsic
def argmin_tile(typingctx, best, labels, acc, first):
    """(minimum, its label) of the running (best, labels) and the tile of centers from `first`."""
    result = types.Tuple((best, labels))

    def codegen(context, builder, signature, args):
        j = emit_splat(builder, context.cast(builder, args[3], first, labels.scalar), args[1].type)
        vectors = cgutils.unpack_tuple(builder, args[2])
        return context.make_tuple(builder, result, _emit_argmin(builder, *args[:2], vectors, j))

    return result(best, labels, acc, first), codegen


@intrinsic
def argmin_first_tile(typingctx, best, labels, acc, first, n):
    """As argmin_tile, of the first n vectors of the tile only."""
    result = types.Tuple((best, labels))

    def codegen(context, builder, signature, args):
        j = emit_splat(builder, context.cast(builder, args[3], first, labels.scalar), args[1].type)
        n_value = context.cast(builder, args[4], n, types.int64)
        far = ir.Constant(args[0].type, [float("inf")] * labels.lanes)
        vectors = [
            builder.select(
                builder.icmp_signed("<", ir.Constant(n_value.type, offset), n_value), vector, far
            )
            for offset, vector in enumerate(cgutils.unpack_tuple(builder, args[2]))
        ]
        return context.make_tuple(builder, result, _emit_argmin(builder, *args[:2], vectors, j))

    return result(best, labels, acc, first, n), codegen


@intrinsic
def argmin2_tile(typingctx, best, second, labels, acc, first):
    """As argmin_tile, with the second least value: (minimum, second, label of the minimum)."""
    result = types.Tuple((best, second, labels))

    def codegen(context, builder, signature, args):
        best_value, second_value, label_value, accs, j = args
        j = context.cast(builder, j, first, labels.scalar)
        first_label = emit_splat(builder, j, label_value.type)
        for offset, a in enumerate(cgutils.unpack_tuple(builder, accs)):
            closer = builder.fcmp_ordered("<", a, best_value)
            label = builder.add(first_label, ir.Constant(label_value.type, [offset] * labels.lanes))
            label_value = builder.select(closer, label, label_value)
            farther = builder.select(closer, best_value, a)
            second_value = emit_minimum(builder, farther, second_value)
            best_value = builder.select(closer, a, best_value)
        return context.make_tuple(builder, result, [best_value, second_value, label_value])

    return result(best, second, labels, acc, first), codegen


# -- tiles of listed centers: array.flat[list[index + j]] for every j -----------------------------


def _listed(context, builder, array_type, array, list_type, positions, index_type, index, count):
    """Addresses of the elements of an array at the `count` flat positions in list[index:]."""
    base = context.make_array(array_type)(context, builder, array).data
    listed = [index_type, index, count]
    return [
        builder.gep(base, [builder.sext(position, ir.IntType(64))])
        if position.type.width < 64
        else builder.gep(base, [position])
        for position in _list_entries(context, builder, list_type, positions, *listed)
    ]


def _list_entries(context, builder, list_type, positions, index_type, index, count):
    """The `count` entries of the list from list[index] on."""
    pointer = emit_address(context, builder, list_type, positions, index_type, index, trailing=0)
    return [
        builder.load(builder.gep(pointer, [ir.Constant(ir.IntType(32), j)])) for j in range(count)
    ]


@intrinsic(prefer_literal=True)
def splat_listed(typingctx, array, positions, index, width):
    """Tile whose vector j has array.flat[positions[index + j]] in every lane."""
    vector = vector_of(array.dtype)
    tile = types.UniTuple(vector, width.literal_value)

    def codegen(context, builder, signature, args):
        llvm_type = context.get_value_type(vector)
        places = _listed(
            context, builder, array, args[0], positions, args[1], index, args[2], tile.count
        )
        splats = [emit_splat(builder, builder.load(place), llvm_type) for place in places]
        return context.make_tuple(builder, tile, splats)

    return tile(array, positions, index, width), codegen


@intrinsic
def fma_listed(typingctx, acc, x, array, positions, index, offset):
    """Return acc[j] + x * array.flat[positions[index + j] + offset] for every j."""

    def codegen(context, builder, signature, args):
        accs = cgutils.unpack_tuple(builder, args[0])
        places = _listed(
            context, builder, array, args[2], positions, args[3], index, args[4], acc.count
        )
        new = []
        for place, a in zip(places, accs, strict=True):
            value = builder.load(builder.gep(place, [args[5]]))
            new.append(emit_fmuladd(builder, args[1], emit_splat(builder, value, a.type), a))
        return context.make_tuple(builder, acc, new)

    return acc(acc, x, array, positions, index, offset), codegen


@intrinsic
def argmin_listed(typingctx, best, labels, acc, positions, index):
    """As argmin_tile, for the centers positions[index + j]."""
    result = types.Tuple((best, labels))

    def codegen(context, builder, signature, args):
        best_value, label_value = args[:2]
        accs = cgutils.unpack_tuple(builder, args[2])
        entries = _list_entries(context, builder, positions, args[3], index, args[4], acc.count)
        for entry, a in zip(entries, accs, strict=True):
            closer = builder.fcmp_ordered("<", a, best_value)
            j = context.cast(builder, entry, positions.dtype, labels.scalar)
            best_value = builder.select(closer, a, best_value)
            label_value = builder.select(
                closer, emit_splat(builder, j, label_value.type), label_value
            )
        return context.make_tuple(builder, result, [best_value, label_value])

    return result(best, labels, acc, positions, index), codegen


def _least_lanes(builder, vectors):
    """Vector of the least lane of each of these vectors, which are halved together."""

    def halves(vectors):
        a, b = vectors if len(vectors) == 2 else (vectors[0], vectors[0])
        total = len(vectors) * a.type.count
        part = total // n_parts
        places = [i for i in range(total) if i % part < part // 2]
        for step in (0, part // 2):
            mask = [place + step for place in places]
            yield builder.shuffle_vector(
                a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(mask)), mask)
            )

    n_vectors = len(vectors)
    while len(vectors) > 1:
        n_parts = 2 * n_vectors // len(vectors)  # vectors that a pair stands for
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        vectors = [emit_minimum(builder, *halves(pair)) for pair in pairs]
    n_parts = n_vectors
    while vectors[0].type.count > n_vectors:
        vectors = [emit_minimum(builder, *halves(vectors))]
    return vectors[0]


@intrinsic
def store_least_lanes(typingctx, array, index, tile, addend):
    """Lower array[index + j] to the least lane of tile[j] + addend, for every j."""

    def codegen(context, builder, signature, args):
        pointer = emit_address(context, builder, array, args[0], index, args[1], trailing=0)
        vectors = cgutils.unpack_tuple(builder, args[2])
        least = _least_lanes(builder, [builder.fadd(v, args[3]) for v in vectors])
        pointer = builder.bitcast(pointer, least.type.as_pointer())
        align = array.dtype.bitwidth // 8
        before = builder.load(pointer, align=align)
        builder.store(emit_minimum(builder, least, before), pointer, align=align)
        return context.get_dummy_value()

    return types.void(array, index, tile, addend), codegen
