"""The notation in which a kernel declares the types of its parameters.

Each parameter is annotated: `float32`, `float64`, `int32` or `int64` for a scalar of that type, and
the same with a colon for each axis, as in `int32[:, :]`, for an array. `real` stands for float32 or
float64, whichever the kernel is compiled for. So

    def assign_nearest(
        chunks, panels: real[:, :, :], n_clusters: int64, ..., labels_out: int32[:, :]
    ):

can be compiled without a call from which to learn the types.

Arrays are C-contiguous. An array whose name ends in `_out` is written to; every other one is
declared read-only, which accepts both read-only and writable arrays. The first parameter is
`chunks`, which is the same in every kernel and has no annotation; the second is an array of `real`,
because its dtype decides at each call which variant runs.

This needs no Numba: `jit` says what Numba's types are.
"""

import inspect
from dataclasses import dataclass

import numpy as np

REAL_DTYPES = "float32", "float64"
"""What `real` may stand for."""


@dataclass(frozen=True)
class Declared:
    """Type of a parameter: of a scalar, or of the values of an array."""

    name: str
    ndim: int = 0

    def __getitem__(self, axes):
        """Type of arrays with an axis for each colon."""
        axes = axes if isinstance(axes, tuple) else (axes,)
        if self.ndim > 0 or any(axis != slice(None) for axis in axes):
            raise TypeError(f"{self}: an array is declared by one colon for each axis")
        return Declared(self.name, len(axes))

    def __str__(self):
        return self.name + (f"[{', '.join(':' * self.ndim)}]" if self.ndim > 0 else "")

    def dtype(self, real):
        """Return the NumPy dtype, where `real` stands for that dtype."""
        return np.dtype(real if self.name == "real" else self.name)


real = Declared("real")
float32 = Declared("float32")
float64 = Declared("float64")
int32 = Declared("int32")
int64 = Declared("int64")

CHUNKS = int64[:, :]


class Signature:
    """The declared parameters of a kernel.

    Parameters
    ----------
    function : function
        The kernel, with annotated parameters.

    Raises
    ------
    TypeError
        If a parameter has no declaration or none of this notation, or the second is not an array of
        `real`.
    """

    def __init__(self, function):
        self._kernel = function.__name__
        chunks, *others = inspect.signature(function).parameters.values()
        if chunks.name != "chunks":
            raise TypeError(f"{self._kernel}: the first parameter must be chunks")
        self.parameters = {chunks.name: CHUNKS}
        for parameter in others:
            if not isinstance(parameter.annotation, Declared):
                raise self._error(parameter.name, "has no declared type")
            self.parameters[parameter.name] = parameter.annotation
        second = others[0].name if others else "second parameter"
        if not others or self.parameters[second].name != "real" or not self.parameters[second].ndim:
            raise self._error(second, "must be an array of real, which selects the variant")

    def _error(self, name, problem):
        return TypeError(f"{self._kernel}: {name} {problem}")

    def resolved(self, real):
        """Name, dtype and number of axes of each parameter, with this dtype for `real`."""
        if np.dtype(real).name not in REAL_DTYPES:
            raise TypeError(f"{self._kernel} is of {' or '.join(REAL_DTYPES)}, not of {real}")
        return [
            (name, declared.dtype(real), declared.ndim)
            for name, declared in self.parameters.items()
        ]

    def check(self, arguments):
        """Raise a TypeError that names the first argument which does not fit its declaration.

        Few calls come here, as it takes longer than many kernels run. Numba refuses most of what
        does not fit by itself, but it would truncate a float to an integer.
        """
        if len(arguments) != len(self.parameters):
            raise TypeError(
                f"{self._kernel} takes {len(self.parameters)} arguments, not {len(arguments)}"
            )
        real = getattr(arguments[1], "dtype", None)
        if real not in REAL_DTYPES:
            second = list(self.parameters)[1]
            got = _described(arguments[1])
            raise self._error(second, f"must be an array of float32 or float64, not {got}")
        for (name, declared), argument in zip(self.parameters.items(), arguments, strict=True):
            fits = _array_fits if declared.ndim > 0 else _scalar_fits
            if not fits(argument, declared, real, name.endswith("_out")):
                raise self._error(
                    name,
                    f"is declared as {declared} (real: {real}), but the argument is "
                    f"{_described(argument)}",
                )


def _array_fits(argument, declared, real, is_written):
    return (
        isinstance(argument, np.ndarray)
        and argument.dtype == declared.dtype(real)
        and argument.ndim == declared.ndim
        and argument.flags.c_contiguous
        and (argument.flags.writeable or not is_written)
    )


def _scalar_fits(argument, declared, real, is_written):
    """Whether a number keeps its value: an integer may become a float, not the reverse."""
    kinds = int | np.integer
    if declared.dtype(real).kind == "f":
        kinds |= float | np.floating
    return isinstance(argument, kinds)


def _described(argument):
    """Type of an argument, in words for an error."""
    if not isinstance(argument, np.ndarray):
        return f"a {type(argument).__name__}"
    description = f"an array of {argument.dtype} with {argument.ndim} axes"
    if not argument.flags.c_contiguous:
        description += ", not C-contiguous"
    return description + ("" if argument.flags.writeable else ", read-only")
