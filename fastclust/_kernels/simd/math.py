"""Vector exp and log: Numba has none without SVML, and libm computes one value in a call.

exp(x) = 2**n exp(r), with n the nearest integer to x / ln 2 and |r| <= ln(2) / 2;
log(x) = e ln 2 + 2 atanh(s), with x = 2**e m, sqrt(1/2) <= m < sqrt(2) and s = (m - 1) / (m + 1)
(Muller, Elementary Functions, 3rd edition, chapter 11: additive range reduction). exp(r) and
2 atanh(s) / s are polynomials that interpolate at the Chebyshev nodes of their interval, made with
60 digits; what they leave out is below 3e-9 (float32) and 2e-17 (float64), relative.

`exp` is for x <= 0: it is 0 below `least_exponent`. Its error is at most EXP_ULPS units in the last
place; that of `log`, for x >= 1, at most LOG_ULPS (tests/kernels/simd/test_math.py, against
mpmath).
"""

from dataclasses import dataclass

from llvmlite import ir
from numba.extending import intrinsic

from fastclust._kernels.simd.vectors import emit_fmuladd, emit_splat

EXP_ULPS, LOG_ULPS = 1.2, 3.0


@dataclass(frozen=True)
class _Format:
    """Constants of one floating-point type."""

    bits: int
    fraction_bits: int
    bias: int
    least_exponent: float  # the result is 0 below
    ln2_high: float  # few enough bits that its product with an integer is exact
    ln2_low: float
    exp_coefficients: tuple[float, ...]
    log_coefficients: tuple[float, ...]  # of 2 atanh(s) / s in powers of s**2

    @property
    def magic(self):
        """Adding it rounds to an integer, which is then in the low bits."""
        return 1.5 * 2.0**self.fraction_bits


_FORMATS = {
    "float": _Format(
        32, 23, 127, -86.0, 0.693359375, -2.1219444005469057e-4,
        (1.0, 1.0000000377388714, 0.5000000047146057, 0.16666415414041177, 0.04166635277111221,
         0.008375134774624326, 0.0013941118895837),
        (1.9999999986302093, 0.6666681542881696, 0.39974840233172926, 0.2992467028526168),
    ),
    "double": _Format(
        64, 52, 1023, -708.0, 0.693147180369123816490, 1.90821492927058770002e-10,
        (1.0, 1.0, 0.5000000000000019, 0.1666666666666668, 0.04166666666648795,
         0.008333333333319589, 0.0013888888952352863, 0.00019841269890076403,
         2.4801485441561313e-05, 2.755724088722987e-06, 2.763265472252779e-07,
         2.5110049204818658e-08),
        (2.0, 0.6666666666666765, 0.39999999999301483, 0.2857142876083493, 0.2222219703607824,
         0.18183632803180275, 0.15312498077913925, 0.148100248017037),
    ),
}  # fmt: skip


def _constants(builder, vector_type):
    """The format, and functions that make vectors of constants and integers of the same width."""
    form = _FORMATS[str(vector_type.element)]
    integers = ir.VectorType(ir.IntType(form.bits), vector_type.count)

    def real(value):
        return emit_splat(builder, ir.Constant(vector_type.element, value), vector_type)

    def integer(value):
        return ir.Constant(integers, [value] * vector_type.count)

    return form, integers, real, integer


def _polynomial(builder, coefficients, x, real):
    total = real(coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = emit_fmuladd(builder, total, x, real(coefficient))
    return total


def _emit_exp(builder, x):
    form, integers, real, integer = _constants(builder, x.type)
    inside = builder.fcmp_ordered(">", x, real(form.least_exponent))
    x = builder.select(inside, x, real(form.least_exponent))
    shifted = emit_fmuladd(builder, x, real(1.4426950408889634), real(form.magic))
    n = builder.fsub(shifted, real(form.magic))
    r = emit_fmuladd(builder, n, real(-form.ln2_high), x)
    r = emit_fmuladd(builder, n, real(-form.ln2_low), r)
    power = _polynomial(builder, form.exp_coefficients, r, real)
    # n is in the low bits of `shifted`: moved to the exponent and added, it multiplies by 2**n.
    step = builder.shl(builder.bitcast(shifted, integers), integer(form.fraction_bits))
    scaled = builder.bitcast(builder.add(builder.bitcast(power, integers), step), x.type)
    return builder.select(inside, scaled, real(0.0))


def _emit_log(builder, x):
    form, integers, real, integer = _constants(builder, x.type)
    bits = builder.bitcast(x, integers)
    # e counts from sqrt(1/2), so that m is around 1.
    half_root = {32: 0x3F3504F3, 64: 0x3FE6A09E667F3BCD}[form.bits]
    offset = builder.sub(bits, integer(half_root))
    exponent = builder.lshr(offset, integer(form.fraction_bits))
    significand = builder.sub(bits, builder.shl(exponent, integer(form.fraction_bits)))
    m = builder.bitcast(significand, x.type)
    # `or` of an integer into the low bits of 2**fraction_bits adds it to that number, which is
    # then subtracted: this converts the integer to floating point.
    one = 2.0**form.fraction_bits
    one_bits = (form.bias + form.fraction_bits) << form.fraction_bits
    e = builder.fsub(builder.bitcast(builder.or_(exponent, integer(one_bits)), x.type), real(one))
    s = builder.fdiv(builder.fsub(m, real(1.0)), builder.fadd(m, real(1.0)))
    series = _polynomial(builder, form.log_coefficients, builder.fmul(s, s), real)
    low = emit_fmuladd(builder, e, real(form.ln2_low), builder.fmul(s, series))
    return emit_fmuladd(builder, e, real(form.ln2_high), low)


@intrinsic
def exp(typingctx, x):
    """e**x of each lane, for x <= 0."""
    return x(x), lambda context, builder, signature, args: _emit_exp(builder, *args)


@intrinsic
def log(typingctx, x):
    """Natural logarithm of each lane, for x >= 1."""
    return x(x), lambda context, builder, signature, args: _emit_log(builder, *args)
