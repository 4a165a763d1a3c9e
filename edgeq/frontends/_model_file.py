"""Bytes of a model file, read with care, and what damaged ones have in common."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edgeq.errors import EdgeqError, FileError, GraphError, RangeError

#: no network for a microcontroller comes near these
MAX_FILE = 1 << 28
MAX_RANK = 8
MAX_ELEMENTS = 1 << 26

#: what reading a damaged file raises, in the parsers of the formats and in what is made of their answers, besides our
#: own errors
DAMAGE = (struct.error, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError)

#: characters of an error that a person still reads
MOST_SAID = 1200
#: characters that a name in a graph may not have
_BARRED = str.maketrans(dict.fromkeys('"\\*?', "_"))


class DamagedError(Exception):
    """What is wrong with a file; the caller adds which file."""


def read_bytes(path: Path) -> bytes:
    """The whole file; FileError for what is no regular file, is too large or cannot be read."""
    try:
        info = os.stat(path)
        if not stat.S_ISREG(info.st_mode):
            raise FileError(f"{path}: is not a regular file")
        if info.st_size > MAX_FILE:
            raise FileError(f"{path}: {info.st_size} bytes are more than the {MAX_FILE} that a model may have")
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from None


def brief(error: Exception) -> str:
    """The message of an error on one printable line, cut where a damaged file made it long."""
    text = "".join(c if c.isprintable() else "?" for c in " ".join(str(error).split()))
    return text if len(text) <= MOST_SAID else f"{text[:MOST_SAID]} …"


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Errors of what is done with a file name it; those that only a damaged file can cause become FileError.

    Numbers of a damaged file overflow or are none: what they become is checked, and numpy need not warn of it.
    """
    try:
        with np.errstate(all="ignore"):
            yield
    except RangeError as error:
        raise RangeError(f"{path}: {brief(error)}") from None
    except (DamagedError, FileError, GraphError) as error:
        raise FileError(f"{path}: {brief(error)}") from None
    except EdgeqError as error:
        raise type(error)(f"{path}: {brief(error)}") from None
    except DAMAGE as error:
        raise FileError(f"{path}: is damaged: {type(error).__name__}: {brief(error)[:200]}") from None


def printable(text: str) -> str:
    """A name as a graph may carry it: printable, without quotes and wildcards, at most 200 characters."""
    kept = "".join(c if c.isprintable() else "_" for c in text).translate(_BARRED)
    return kept if len(kept) <= 200 else f"{kept[:197]}..."
