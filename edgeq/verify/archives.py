"""Arrays by name from untrusted .npz files, or one from an .npy file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import FileError
from edgeq.verify.data import MAX_ARRAY_FILE, read_array

Array = npt.NDArray[Any]


def read_arrays(path: str | Path) -> Array | dict[str, Array]:
    """Arrays of numbers: by name from a .npz file, one from a .npy file; FileError in one line for anything else."""
    path = Path(path)
    if path.suffix.lower() != ".npz":
        return read_array(path)
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
        if unpacked > MAX_ARRAY_FILE:
            raise FileError(f"input {path}: {unpacked} bytes unpacked, more than the {MAX_ARRAY_FILE} that are read")
        with np.load(path, allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"input {path}: cannot be read ({error.strerror or error})") from None
    except Exception as error:  # headers are parsed as Python: a hostile one raises nearly anything
        text = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise FileError(f"input {path}: is not a readable .npz file ({text})") from None
    if not found:
        raise FileError(f"input {path}: holds no arrays")
    return found


__all__ = ["read_arrays"]
