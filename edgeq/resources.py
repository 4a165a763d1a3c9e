"""Where the files that are not Python live: templates, firmware, hls and boards, in a checkout or in a wheel."""

from __future__ import annotations

from pathlib import Path

from edgeq.errors import FileError

RESOURCES = ("templates", "firmware", "hls", "boards")


def resource_dir(name: str) -> Path:
    """Return the folder `name` (one of `RESOURCES`).

    An installed package carries it as `edgeq/_data/<name>`; a checkout has it beside the package.
    The installed copy wins, so that a wheel never picks up a stranger's `boards/` in site-packages.
    Raises `FileError` when neither exists.
    """
    if name not in RESOURCES:
        raise FileError(f"resource {name!r}: unknown, choose one of {', '.join(RESOURCES)}")
    package = Path(__file__).resolve().parent
    for folder in (package / "_data" / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise FileError(f"resource {name!r}: not in this installation of edgeq; reinstall the package")


def cache_dir() -> Path:
    """Return the folder for things that can be built again, by the platform's custom (not created here)."""
    import platformdirs

    return platformdirs.user_cache_path("edgeq", appauthor=False)
