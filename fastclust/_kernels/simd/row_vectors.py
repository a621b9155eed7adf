"""Vectors of features of one row, for packing rows, summing them, and distances to their centers.

Elsewhere a vector holds one feature of many rows. Here it holds some features of one row, as memory
does outside of panels. Vectors of the one kind are made into the other in registers: interleaving n
vectors log2(n) times transposes them.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastclust._kernels.simd.vectors import (
    emit_address,
    emit_fmuladd,
    emit_splat,
    emit_where_observed,
    vector_of,
)

WIDE, NARROW = 8, 4
"""Features in a vector."""


def _select(builder, a, b, places):
    """Elements at these places of a followed by b."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places))
    return builder.shuffle_vector(a, b, mask)


def _interleave(builder, a, b, start, count):
    """Elements start to start + count of a[0], b[0], a[1], b[1], ..."""
    length = a.type.count
    return _select(builder, a, b, [i // 2 + i % 2 * length for i in range(start, start + count)])


def _interleave_all(builder, vectors):
    """Element 0 of all vectors, then element 1 of all, and so on, in as many vectors."""
    half, count = len(vectors) // 2, vectors[0].type.count
    for _ in range(len(vectors).bit_length() - 1):
        pairs = [(vectors[i], vectors[i + half]) for i in range(half)]
        vectors = [
            _interleave(builder, *pair, start, count) for pair in pairs for start in (0, count)
        ]
    return vectors


def _features_of_rows(builder, rows):
    """For every f, the vector of element f of all rows."""
    lanes = len(rows)
    while rows[0].type.count < lanes:  # first make vectors as long as there are rows
        half, count = len(rows) // 2, 2 * rows[0].type.count
        rows = [_interleave(builder, rows[i], rows[i + half], 0, count) for i in range(half)]
    return _interleave_all(builder, rows)


def _rows_of_features(builder, features):
    """A vector for each row, from a vector for each feature."""
    width = len(features)
    return [
        _select(builder, several, several, range(first, first + width))
        for several in _interleave_all(builder, features)
        for first in range(0, several.type.count, width)
    ]


@intrinsic(prefer_literal=True)
def load_transposed(typingctx, X, numbers, index, feature, mean, width):
    """Tile whose vector j has X[numbers[index, lane], feature + j] - mean[feature + j].

    `mean` is None for zeros.
    """
    vector = vector_of(X.dtype)
    tile = types.UniTuple(vector, width.literal_value)

    def codegen(context, builder, signature, args):
        row_type = ir.VectorType(context.get_value_type(X.dtype), tile.count).as_pointer()
        align = X.dtype.bitwidth // 8
        numbers_at = emit_address(context, builder, numbers, args[1], index, args[2])
        if mean != types.none:
            mean_at = emit_address(context, builder, mean, args[4], feature, args[3], trailing=0)
            mean_part = builder.load(builder.bitcast(mean_at, row_type), align=align)
        pair = types.UniTuple(types.int64, 2)
        rows = []
        for i in range(vector.lanes):
            number = builder.load(builder.gep(numbers_at, [ir.Constant(ir.IntType(32), i)]))
            number = context.cast(builder, number, numbers.dtype, types.int64)
            place = context.make_tuple(builder, pair, [number, args[3]])
            row_at = emit_address(context, builder, X, args[0], pair, place, trailing=0)
            row = builder.load(builder.bitcast(row_at, row_type), align=align)
            rows.append(row if mean == types.none else builder.fsub(row, mean_part))
        return context.make_tuple(builder, tile, _features_of_rows(builder, rows))

    return tile(X, numbers, index, feature, mean, width), codegen


@intrinsic
def add_square_diffs(typingctx, acc, panels, p, feature, tile):
    """Return acc + sum over j of (panels[p, feature + j] - tile[j])**2, in the order of j."""

    def codegen(context, builder, signature, args):
        acc, panels_value, p_value, feature_value, tile_value = args
        pair = types.UniTuple(types.int64, 2)
        place = context.make_tuple(builder, pair, [p_value, feature_value])
        panel_at = emit_address(context, builder, panels, panels_value, pair, place)
        panel_at = builder.bitcast(panel_at, acc.type.as_pointer())
        for j, vector in enumerate(cgutils.unpack_tuple(builder, tile_value)):
            at = builder.gep(panel_at, [ir.Constant(ir.IntType(32), j)])
            x = builder.load(at, align=panels.dtype.bitwidth // 8)
            difference = builder.fsub(x, vector)
            acc = emit_fmuladd(builder, difference, difference, acc)
        return acc

    return acc(acc, panels, types.int64, types.int64, tile), codegen


def _load_features(context, builder, panels, value, p, feature, width):
    """Vectors of panel p: those of `width` features from `feature` on."""
    pair = types.UniTuple(types.int64, 2)
    place = context.make_tuple(builder, pair, [p, feature])
    panel_at = emit_address(context, builder, panels, value, pair, place)
    vector_type = context.get_value_type(vector_of(panels.dtype)).as_pointer()
    panel_at = builder.bitcast(panel_at, vector_type)
    return [
        builder.load(
            builder.gep(panel_at, [ir.Constant(ir.IntType(32), j)]),
            align=panels.dtype.bitwidth // 8,
        )
        for j in range(width)
    ]


def _emit_add_rows(context, builder, targets, labels_at, feature, features, weight):
    """Add rows, of which there is a vector for each feature, to sums[label of the lane].

    A target is the type of sums, these, and a function of a row that returns what is added to them.
    `weight` is None, or the weights of the rows and the type of these.
    """
    doubles = ir.VectorType(ir.DoubleType(), len(features))
    i32, pair = ir.IntType(32), types.UniTuple(types.int64, 2)
    for i, row in enumerate(_rows_of_features(builder, features)):
        if row.type != doubles:
            row = builder.fpext(row, doubles)
        label = builder.sext(builder.load(builder.gep(labels_at, [i32(i)])), feature.type)
        place = context.make_tuple(builder, pair, [label, feature])
        if weight is not None:
            scalar = builder.extract_element(weight[0], i32(i))
            scalar = context.cast(builder, scalar, weight[1].scalar, types.float64)
            factor = emit_splat(builder, scalar, doubles)
        for sums, sums_value, part_of in targets:
            part = part_of(row)
            if weight is not None:
                part = builder.fmul(part, factor)
            sum_at = emit_address(context, builder, sums, sums_value, pair, place, trailing=0)
            sum_at = builder.bitcast(sum_at, doubles.as_pointer())
            total = builder.fadd(builder.load(sum_at, align=8), part)
            builder.store(total, sum_at, align=8)


@intrinsic(prefer_literal=True)
def add_rows(typingctx, sums, labels, panels, p, feature, weight, width):
    """Add the rows of panel p, `width` features from `feature` on, to sums[labels[p, lane]].

    `weight` is None, or a vector of their weights.
    """

    def codegen(context, builder, signature, args):
        features = _load_features(
            context, builder, panels, args[2], args[3], args[4], width.literal_value
        )
        labels_at = emit_address(context, builder, labels, args[1], types.int64, args[3])
        weights = None if weight == types.none else (args[5], weight)
        targets = [(sums, args[0], lambda row: row)]
        _emit_add_rows(context, builder, targets, labels_at, args[4], features, weights)
        return context.get_dummy_value()

    signature = types.void(sums, labels, panels, types.int64, types.int64, weight, width)
    return signature, codegen


@intrinsic(prefer_literal=True)
def add_observed_rows(
    typingctx, sums, feature_weights, labels, panels, p, feature, weight, width
):  # fmt: skip
    """As `add_rows`, of values that are not NaN; their weights go to feature_weights likewise."""

    def codegen(context, builder, signature, args):
        features = _load_features(
            context, builder, panels, args[3], args[4], args[5], width.literal_value
        )
        labels_at = emit_address(context, builder, labels, args[2], types.int64, args[4])
        weights = None if weight == types.none else (args[6], weight)
        ones = ir.Constant(ir.VectorType(ir.DoubleType(), len(features)), [1.0] * len(features))
        targets = [
            (sums, args[0], lambda row: emit_where_observed(builder, row, row)),
            (feature_weights, args[1], lambda row: emit_where_observed(builder, ones, row)),
        ]
        _emit_add_rows(context, builder, targets, labels_at, args[5], features, weights)
        return context.get_dummy_value()

    signature = types.void(
        sums, feature_weights, labels, panels, types.int64, types.int64, weight, width
    )
    return signature, codegen
