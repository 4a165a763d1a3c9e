"""What tests of HLS projects need of this computer."""

from __future__ import annotations

import shutil

import pytest

from edgeq.hls.simulate import available_compilers

needs_csim = pytest.mark.skipif(
    not available_compilers(), reason="C simulation needs a C++ compiler and the headers of hls4ml (ap_int.h)"
)
needs_tclsh = pytest.mark.skipif(not shutil.which("tclsh"), reason="tclsh is not installed (apt-get install tcl)")
needs_make = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
