"""What the values of options may be: functions that read a text, or say what is wrong with it."""

import argparse
import math

from fastclust._algorithms.memory import parse_size


def integer(low, high):
    """Make a parser of integers from low to high."""

    def parse(text):
        if not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low} and {high}")
        return int(text)

    parse.__name__ = "integer"  # argparse's word for what a text is not
    return parse


def non_negative(text):
    """Parse a finite number that is not negative."""
    if not 0 <= float(text) < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a finite number of at least 0")
    return float(text)


def positive(text):
    """Parse a finite number above 0."""
    if not 0 < float(text) < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a finite number above 0")
    return float(text)


def or_none(parse):
    """Make a parser of what another one reads, or of the word none."""

    def parse_or_none(text):
        return None if text == "none" else parse(text)

    parse_or_none.__name__ = f"{parse.__name__} or none"
    return parse_or_none


def numbers(text):
    """Parse numbers and ranges, as in 2-10,15,20."""
    found = set()
    for part in text.split(","):
        low, dash, high = part.partition("-")
        high = high if dash else low
        if not (low.isdecimal() and high.isdecimal()):
            raise argparse.ArgumentTypeError(f"{part!r} is no number or range such as 2-15")
        found |= set(range(int(low), int(high) + 1))
    return sorted(found)


def size(text):
    """Check an amount of memory."""
    try:
        parse_size(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount such as 2GB or 512MiB") from None
    return text


def listed(text):
    """Parse words with commas between them."""
    return text.split(",")


def some_of(*choices):
    """Make a parser of some of these words, with commas between them."""

    def some(text):
        for word in text.split(","):
            if word not in choices:
                raise argparse.ArgumentTypeError(f"{word!r} is not one of {', '.join(choices)}")
        return text.split(",")

    return some
