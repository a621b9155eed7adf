"""Tiles of matrix products, for mixtures, and of distances between rows, for silhouettes.

A triangular product multiplies PANELS panels by WIDTH columns of a factor at a time. Each value of
the factor is broadcast once for PANELS multiply-adds, and PANELS * WIDTH of these are independent,
which hides their latency. A moment tile holds MOMENT_WIDTH by MOMENT_WIDTH products of features,
which are summed over the panels of a block, and only then over the lanes.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastclust._kernels.simd.sizes import MOMENT_WIDTH, N_DIAGONAL, WIDTH
from fastclust._kernels.simd.vectors import (
    emit_address,
    emit_fmuladd,
    emit_splat,
    emit_sqrt,
    vector_of,
)


def _load_vectors(context, builder, array_type, array, index_type, index, count, vector_type):
    """The `count` vectors from array[index, :] on."""
    pointer = emit_address(context, builder, array_type, array, index_type, index)
    pointer = builder.bitcast(pointer, vector_type.as_pointer())
    align = array_type.dtype.bitwidth // 8
    return [
        builder.load(builder.gep(pointer, [ir.Constant(ir.IntType(32), i)]), align=align)
        for i in range(count)
    ]


@intrinsic(prefer_literal=True)
def product_tile(typingctx, acc, x, x_index, factor, factor_index, n_panels, triangle):
    """Return acc[p * WIDTH + c] + sum over r < WIDTH of x_r,p * factor_r,c.

    x_r,p is the vector r * n_panels + p places after x[x_index], and factor_r,c the number
    r * WIDTH + c places after factor[factor_index]. With `triangle` the terms of r > c are left
    out: the tile is on the diagonal of an upper triangular factor. n_panels and triangle are
    constants.
    """
    n, upper = n_panels.literal_value, triangle.literal_value

    def codegen(context, builder, signature, args):
        accs = cgutils.unpack_tuple(builder, args[0])
        llvm_type = accs[0].type
        xs = _load_vectors(context, builder, x, args[1], x_index, args[2], WIDTH * n, llvm_type)
        pointer = emit_address(context, builder, factor, args[3], factor_index, args[4], trailing=0)
        for r in range(WIDTH):
            for c in range(r if upper else 0, WIDTH):
                place = builder.gep(pointer, [ir.Constant(ir.IntType(32), r * WIDTH + c)])
                value = emit_splat(builder, builder.load(place), llvm_type)
                for p in range(n):
                    i = p * WIDTH + c
                    accs[i] = emit_fmuladd(builder, xs[r * n + p], value, accs[i])
        return context.make_tuple(builder, acc, accs)

    return acc(acc, x, x_index, factor, factor_index, n_panels, triangle), codegen


@intrinsic
def add_squares_tile(typingctx, sums, tile):
    """Return sums[p] + sum over c < WIDTH of tile[p * WIDTH + c]**2."""

    def codegen(context, builder, signature, args):
        totals, values = (cgutils.unpack_tuple(builder, t) for t in args)
        for i, value in enumerate(values):
            totals[i // WIDTH] = emit_fmuladd(builder, value, value, totals[i // WIDTH])
        return context.make_tuple(builder, sums, totals)

    return sums(sums, tile), codegen


@intrinsic
def scaled_square_tile(typingctx, acc, x, centers, factors, index):
    """Return acc[c] + ((x - centers[index, c]) * factors[index, c])**2."""

    def codegen(context, builder, signature, args):
        accs = cgutils.unpack_tuple(builder, args[0])
        for c, a in enumerate(accs):
            center, factor = (
                _splat_element(context, builder, t, v, index, args[4], c, a.type)
                for t, v in ((centers, args[2]), (factors, args[3]))
            )
            y = builder.fmul(builder.fsub(args[1], center), factor)
            accs[c] = emit_fmuladd(builder, y, y, a)
        return context.make_tuple(builder, acc, accs)

    return acc(acc, x, centers, factors, index), codegen


@intrinsic
def masked_square_tile(typingctx, acc, x, mask, centers, factors, index):
    """Return acc[c] + ((x - mask * centers[index, c]) * factors[index, c])**2."""

    def codegen(context, builder, signature, args):
        accs = cgutils.unpack_tuple(builder, args[0])
        negative = builder.fneg(args[2])
        for c, a in enumerate(accs):
            center, factor = (
                _splat_element(context, builder, t, v, index, args[5], c, a.type)
                for t, v in ((centers, args[3]), (factors, args[4]))
            )
            y = builder.fmul(emit_fmuladd(builder, negative, center, args[1]), factor)
            accs[c] = emit_fmuladd(builder, y, y, a)
        return context.make_tuple(builder, acc, accs)

    return acc(acc, x, mask, centers, factors, index), codegen


def _splat_element(context, builder, array_type, array, index_type, index, offset, vector_type):
    """Vector with array[index, offset] in every lane."""
    pointer = emit_address(context, builder, array_type, array, index_type, index)
    place = builder.gep(pointer, [ir.Constant(ir.IntType(32), offset)])
    return emit_splat(builder, builder.load(place), vector_type)


@intrinsic
def affine_tile(typingctx, tile, scales, constants, index):
    """Return tile[c] * scales[index, c] + constants[index, c]."""

    def codegen(context, builder, signature, args):
        values = cgutils.unpack_tuple(builder, args[0])
        for c, value in enumerate(values):
            scale, constant = (
                _splat_element(context, builder, t, v, index, args[3], c, value.type)
                for t, v in ((scales, args[1]), (constants, args[2]))
            )
            values[c] = emit_fmuladd(builder, value, scale, constant)
        return context.make_tuple(builder, tile, values)

    return tile(tile, scales, constants, index), codegen


@intrinsic
def fma_all(typingctx, tile, scale, addend):
    """Return tile[i] * scale + addend, two vectors."""

    def codegen(context, builder, signature, args):
        values = cgutils.unpack_tuple(builder, args[0])
        values = [emit_fmuladd(builder, v, args[1], args[2]) for v in values]
        return context.make_tuple(builder, tile, values)

    return tile(tile, scale, addend), codegen


@intrinsic
def shrunk_squares(typingctx, tile, factor):
    """Return factor * tile[i]**2 for every i."""

    def codegen(context, builder, signature, args):
        values = cgutils.unpack_tuple(builder, args[0])
        scalar = context.cast(builder, args[1], factor, tile.dtype.scalar)
        scale = emit_splat(builder, scalar, values[0].type)
        new = [builder.fmul(builder.fmul(v, v), scale) for v in values]
        return context.make_tuple(builder, tile, new)

    return tile(tile, factor), codegen


@intrinsic
def store_strided(typingctx, array, index, tile, stride):
    """Set the vector i * stride places after array[index, :] to tile[i], for every i."""

    def codegen(context, builder, signature, args):
        pointer = emit_address(context, builder, array, args[0], index, args[1])
        vectors = cgutils.unpack_tuple(builder, args[2])
        pointer = builder.bitcast(pointer, vectors[0].type.as_pointer())
        for i, vector in enumerate(vectors):
            place = builder.gep(pointer, [builder.mul(args[3], args[3].type(i))])
            builder.store(vector, place, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, index, tile, stride), codegen


@intrinsic(prefer_literal=True)
def load_strided(typingctx, array, index, width, stride):
    """Tile of the vectors i * stride places after array[index, :]; `width` is a constant."""
    vector = vector_of(array.dtype)
    tile = types.UniTuple(vector, width.literal_value)

    def codegen(context, builder, signature, args):
        pointer = emit_address(context, builder, array, args[0], index, args[1])
        llvm_type = context.get_value_type(vector)
        pointer = builder.bitcast(pointer, llvm_type.as_pointer())
        align = array.dtype.bitwidth // 8
        places = [builder.mul(args[3], args[3].type(i)) for i in range(tile.count)]
        vectors = [builder.load(builder.gep(pointer, [p]), align=align) for p in places]
        return context.make_tuple(builder, tile, vectors)

    return tile(array, index, width, stride), codegen


@intrinsic
def maximum_tiles(typingctx, a, b):
    """Return max(a[i], b[i]) for every i."""

    def codegen(context, builder, signature, args):
        pairs = zip(*(cgutils.unpack_tuple(builder, t) for t in args), strict=True)
        new = [builder.select(builder.fcmp_ordered(">", x, y), x, y) for x, y in pairs]
        return context.make_tuple(builder, a, new)

    return a(a, b), codegen


@intrinsic
def all_above(typingctx, a, b):
    """Whether a[i] > b[i] in every lane, for every i."""

    def codegen(context, builder, signature, args):
        pairs = zip(*(cgutils.unpack_tuple(builder, t) for t in args), strict=True)
        mask = None
        for x, y in pairs:
            above = builder.fcmp_ordered(">", x, y)
            mask = above if mask is None else builder.and_(mask, above)
        bits = builder.bitcast(mask, ir.IntType(a.dtype.lanes))
        return builder.icmp_unsigned("==", bits, ir.Constant(bits.type, -1))

    return types.boolean(a, b), codegen


# -- moments -----------------------------------------------------------------------------------


@intrinsic
def outer_tile(typingctx, acc, a, b, index_a, index_b):
    """Return acc[r * MOMENT_WIDTH + c] + a_r * b_c, with the vectors a_r that follow a[index_a].

    The b_c follow b[index_b] in the same way. If acc has N_DIAGONAL products, the tile is on the
    diagonal: it holds those of r >= c alone, row by row.
    """

    def codegen(context, builder, signature, args):
        accs = cgutils.unpack_tuple(builder, args[0])
        rows, columns = (
            _load_vectors(context, builder, t, v, i, at, MOMENT_WIDTH, accs[0].type)
            for t, v, i, at in ((a, args[1], index_a, args[3]), (b, args[2], index_b, args[4]))
        )
        diagonal = acc.count == N_DIAGONAL
        pairs = [
            (r, c) for r in range(MOMENT_WIDTH) for c in range(r + 1 if diagonal else MOMENT_WIDTH)
        ]
        for i, (r, c) in enumerate(pairs):
            accs[i] = emit_fmuladd(builder, rows[r], columns[c], accs[i])
        return context.make_tuple(builder, acc, accs)

    return acc(acc, a, b, index_a, index_b), codegen


@intrinsic
def add_tile(typingctx, acc, array, index):
    """Return acc[i] + the vector i places after array[index, :], for every i."""

    def codegen(context, builder, signature, args):
        accs = cgutils.unpack_tuple(builder, args[0])
        vectors = _load_vectors(
            context, builder, array, args[1], index, args[2], len(accs), accs[0].type
        )
        new = [builder.fadd(a, v) for a, v in zip(accs, vectors, strict=True)]
        return context.make_tuple(builder, acc, new)

    return acc(acc, array, index), codegen


@intrinsic
def subtract_tile(typingctx, array, index, tile):
    """Return the vectors from array[index, :] on, less those of the tile."""

    def codegen(context, builder, signature, args):
        centers = cgutils.unpack_tuple(builder, args[2])
        vectors = _load_vectors(
            context, builder, array, args[0], index, args[1], len(centers), centers[0].type
        )
        new = [builder.fsub(v, c) for v, c in zip(vectors, centers, strict=True)]
        return context.make_tuple(builder, tile, new)

    return tile(array, index, tile), codegen


@intrinsic
def subtract_masked_tile(typingctx, array, mask, index, tile):
    """Return the vectors from array[index, :] on, less those of mask[index, :] times the tile."""

    def codegen(context, builder, signature, args):
        centers = cgutils.unpack_tuple(builder, args[3])
        vectors, masks = (
            _load_vectors(context, builder, t, v, index, args[2], len(centers), centers[0].type)
            for t, v in ((array, args[0]), (mask, args[1]))
        )
        new = [
            emit_fmuladd(builder, builder.fneg(m), c, v)
            for m, c, v in zip(masks, centers, vectors, strict=True)
        ]
        return context.make_tuple(builder, tile, new)

    return tile(array, mask, index, tile), codegen


@intrinsic
def scale_tile(typingctx, tile, scale):
    """Return tile[i] * scale for every i."""

    def codegen(context, builder, signature, args):
        new = [builder.fmul(v, args[1]) for v in cgutils.unpack_tuple(builder, args[0])]
        return context.make_tuple(builder, tile, new)

    return tile(tile, scale), codegen


@intrinsic
def add_tiles(typingctx, acc, tile):
    """Return acc[i] + tile[i] for every i."""

    def codegen(context, builder, signature, args):
        pairs = zip(*(cgutils.unpack_tuple(builder, t) for t in args), strict=True)
        return context.make_tuple(builder, acc, [builder.fadd(a, b) for a, b in pairs])

    return acc(acc, tile), codegen


@intrinsic
def fma_tiles(typingctx, acc, a, b):
    """Return acc[i] + a[i] * b[i] for every i."""

    def codegen(context, builder, signature, args):
        accs, *factors = (cgutils.unpack_tuple(builder, t) for t in args)
        new = [emit_fmuladd(builder, x, y, z) for x, y, z in zip(*factors, accs, strict=True)]
        return context.make_tuple(builder, acc, new)

    return acc(acc, a, b), codegen


# -- distances ---------------------------------------------------------------------------------


@intrinsic
def sqrt_tile(typingctx, tile):
    """Return sqrt(tile[i]) for every i."""

    def codegen(context, builder, signature, args):
        vectors = cgutils.unpack_tuple(builder, args[0])
        return context.make_tuple(builder, tile, [emit_sqrt(builder, v) for v in vectors])

    return tile(tile), codegen


@intrinsic
def add_weighted_vectors(typingctx, total, tile, array, index):
    """Return total + sum over i of tile[i] * array[index, i], added in the order of i."""

    def codegen(context, builder, signature, args):
        total = args[0]
        for i, vector in enumerate(cgutils.unpack_tuple(builder, args[1])):
            weight = _splat_element(
                context, builder, array, args[2], index, args[3], i, vector.type
            )
            total = emit_fmuladd(builder, vector, weight, total)
        return total

    return total(total, tile, array, index), codegen
