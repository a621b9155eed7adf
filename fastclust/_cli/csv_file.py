"""Columns of CSV files, and whether the first line has their names and the first is an index.

This is pyarrow's work, which is imported when it is needed.
"""

import functools
import os
import sys
import warnings
from pathlib import Path

import numpy as np

from fastclust._cli.files import OptionError

FIRST_BLOCK, LARGEST_BLOCK = 2**20, 2**31 - 1
"""Bytes of a CSV file that pyarrow reads at a time: its default, and its limit."""


def read_csv(path, choose, header):
    """Read a CSV file: first the names, then the columns chosen.

    Parameters
    ----------
    path, choose, header : str, callable or None, bool or None
        As in `tables.read_table`.

    Returns
    -------
    data : pyarrow.Table
        Has the columns chosen.
    wanted : list of str
        Their names.
    numbers : list of int
        Their positions in the file.
    features : list of int
        Positions of the columns that are no index.
    has_names : bool
        Whether the names are the file's.
    """
    file = _CsvFile(path, has_names=header is not False)
    names = file.names
    features = list(range(len(names)))
    starts_unnamed = file.has_names and len(names) > 1 and not names[0].strip()
    counts_rows = starts_unnamed and _counts_rows(file.read(names[:1]).column(0))
    if header is None and _are_numbers(names):
        is_of_pandas = counts_rows and names[1:] == [str(f) for f in features[:-1]]
        if not is_of_pandas:
            raise OptionError(
                f"{path}: the first line is of numbers or booleans: say --no-header if it is a "
                "row, or --header if these are names of columns"
            )
    if counts_rows:
        del features[0]
    given_names = names if file.has_names else None
    numbers = features if choose is None else choose(given_names, features)
    if counts_rows and 0 not in numbers:
        warnings.warn(
            f"{path}: the first column has no name and counts the rows, so it is left out; give "
            "it a name to use it",
            stacklevel=2,
        )
    elif starts_unnamed and 0 in numbers and not counts_rows:
        warnings.warn(f"{path}: the first column has no name, and is used", stacklevel=2)
    wanted = [names[f] for f in numbers]
    return file.read(wanted), wanted, numbers, features, file.has_names


def _are_numbers(names):
    """Whether names are those of a row of numbers or booleans, of which some may be missing."""
    import pyarrow.csv as csv

    options = csv.ConvertOptions()
    booleans = *options.true_values, *options.false_values

    def is_number(name):
        if name in booleans:
            return True
        try:
            float(name)
        except ValueError:
            return False
        return "_" not in name  # 1_0 is 10 to Python alone

    given = [name for name in names if name not in options.null_values]
    return bool(given) and all(map(is_number, given))


def _counts_rows(column):
    """Whether a column of pyarrow is 0, 1, 2 and so on, or 1, 2, 3."""
    import pyarrow as pa

    if not pa.types.is_integer(column.type) or len(column) == 0:
        return False
    values = column.to_numpy()
    return values[0] in (0, 1) and np.array_equal(values, values[0] + np.arange(len(values)))


class _CsvFile:
    """A CSV file, or standard input, with rows and quoted values of any length.

    Attributes
    ----------
    has_names : bool
        Whether the first line has the names of the columns.
    names : list of str
        The names; numbered ones if there are none.
    """

    def __init__(self, path, *, has_names):
        self.has_names = has_names
        if str(path) == "-":
            self._path, self._stdin = None, sys.stdin.buffer.read()
            self._size, n_quotes = len(self._stdin), self._stdin.count(b'"')
        else:
            self._path, self._size = path, os.path.getsize(path)
            n_quotes = _count_quotes(path)
        # Lines may break in quotes only, and looking for those takes time. An empty line is a
        # missing value of the only column; of several columns it is none.
        self._parse = {"newlines_in_values": n_quotes > 0, "ignore_empty_lines": True}
        self.names = self._read_names()
        if len(self.names) == 1:
            self._parse["ignore_empty_lines"] = False
            if self._read_names() != self.names:
                raise ValueError("the first line is empty")
        if n_quotes % 2 and self._ends_in_quotes():
            raise ValueError("a quoted value has no end")

    def _source(self):
        """What pyarrow reads: the path, or what came by standard input."""
        import pyarrow as pa

        return pa.BufferReader(self._stdin) if self._path is None else self._path

    def _ends_in_quotes(self):
        """Whether a further row would be taken for a part of the last value."""
        content = Path(self._path).read_bytes() if self._path is not None else self._stdin
        line = b"," * (len(self.names) - 1) + b"\n" if len(self.names) > 1 else b"0\n"
        further = content + (b"" if content.endswith((b"\n", b"\r")) else b"\n") + line
        return self._count_rows(further) == self._count_rows(content)

    def _count_rows(self, content):
        """Number of rows of a content in bytes, without those of another length."""
        import pyarrow as pa
        import pyarrow.csv as csv

        parse = csv.ParseOptions(invalid_row_handler=lambda row: "skip", **self._parse)

        def read(block_size):
            how = csv.ReadOptions(
                autogenerate_column_names=not self.has_names, block_size=block_size
            )
            convert = csv.ConvertOptions(include_columns=self.names[:1])
            return csv.read_csv(pa.BufferReader(content), how, parse, convert).num_rows

        return self._read_in_blocks(read)

    def _read_in_blocks(self, read):
        """Call `read(block_size)` with ever larger blocks, until no row is longer than one."""
        import pyarrow as pa

        block_size = FIRST_BLOCK
        while True:
            try:
                return read(block_size)
            except pa.ArrowInvalid as error:  # "... two block boundaries", "... file or block"
                if "block" not in str(error) or block_size >= min(self._size, LARGEST_BLOCK):
                    raise
            block_size = min(8 * block_size, LARGEST_BLOCK)

    def _read_names(self):
        """Names of the columns, by the first line."""
        import pyarrow.csv as csv

        parse = csv.ParseOptions(invalid_row_handler=lambda row: "skip", **self._parse)

        def read(block_size):
            how = csv.ReadOptions(
                autogenerate_column_names=not self.has_names, block_size=block_size
            )
            with csv.open_csv(self._source(), how, parse) as reader:
                return reader.schema.names

        return self._read_in_blocks(read)

    def read(self, wanted):
        """Read columns by their names."""
        import pyarrow as pa
        import pyarrow.csv as csv

        wrong = []

        def note(row):
            wrong.append(row)
            return "error"

        def read(use_threads, block_size):
            return csv.read_csv(
                self._source(),
                csv.ReadOptions(
                    autogenerate_column_names=not self.has_names,
                    use_threads=use_threads,
                    block_size=block_size,
                ),
                csv.ParseOptions(invalid_row_handler=note, **self._parse),
                # Words for missing values are none of the words that an error names.
                csv.ConvertOptions(include_columns=wanted, strings_can_be_null=True),
            )

        for use_threads in True, False:  # the number of a row is known to one thread alone
            try:
                return self._read_in_blocks(functools.partial(read, use_threads))
            except pa.ArrowInvalid:
                if not wrong:
                    raise
        row = wrong[-1]
        number = row.number - self.has_names
        raise ValueError(f"row {number}: {row.actual_columns} columns, not {row.expected_columns}")


def _count_quotes(path):
    """Count the quotes of a file, which bytes.count does at the speed of memory."""
    with open(path, "rb") as file:
        return sum(part.count(b'"') for part in iter(lambda: file.read(FIRST_BLOCK), b""))
