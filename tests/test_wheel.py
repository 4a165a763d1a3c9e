"""The wheel carries everything: built, installed into another environment away from the checkout, it works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 1800


def run(*command: object, cwd: Path) -> str:
    """Run a program that knows nothing of the checkout; its stdout."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-3000:]
    return done.stdout.decode("utf-8")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out, cwd=ROOT)
    (found,) = out.glob("edgeq-*.whl")
    return found


def make_environment(folder: Path) -> Path:
    """A new, empty environment; returns its Python."""
    run(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


@pytest.fixture(scope="session")
def borrowed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program `edgeq` from the wheel; the packages that it depends on are lent by this environment."""
    folder = tmp_path_factory.mktemp("borrowed")
    python = make_environment(folder / "env")
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", wheel, cwd=folder)
    site = next((folder / "env").glob("lib/python*/site-packages"))
    # A plain path: .pth files in it, such as that of an editable edgeq, are not followed.
    (site / "lender.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", "utf-8")
    return python.parent / "edgeq"


def test_the_wheel_carries_templates_firmware_hls_and_boards(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "templates", "firmware", "hls", "boards"], cwd=ROOT, capture_output=True, check=False
    )
    files = tracked.stdout.decode("utf-8").split()
    if not files:
        pytest.skip("not a git checkout")
    missing = [name for name in files if f"edgeq/_data/{name}" not in names]
    assert missing == []
    assert "edgeq/py.typed" in names
    assert not [name for name in names if name.endswith((".o", ".so", ".pyc"))]
    assert not [name for name in names if name.startswith(("tests/", "docs/"))]


def test_the_installed_program_uses_its_own_files(borrowed: Path, tmp_path: Path) -> None:
    code = "import edgeq, edgeq.resources as r; print(edgeq.__file__); print(r.resource_dir('templates'))"
    package, templates = run(borrowed.parent / "python", "-c", code, cwd=tmp_path).splitlines()
    assert Path(package).is_relative_to(borrowed.parent.parent)
    assert Path(templates).is_relative_to(borrowed.parent.parent)
    names = [board["name"] for board in json.loads(run(borrowed, "boards", "--json", cwd=tmp_path))["boards"]]
    assert {"host", "emulator", "cortex-m4", "riscv32"} <= set(names)


def test_the_installed_program_builds_and_verifies(borrowed: Path, tmp_path: Path) -> None:
    from tests.verify.nets import residual_net

    residual_net().save(tmp_path / "net.edgeq")
    found = json.loads(run(borrowed, "verify", "net.edgeq", "--board", "host", "--json", cwd=tmp_path))
    assert found["equal"] is True
    built = json.loads(run(borrowed, "build", "net.edgeq", "-b", "host", "-o", "firmware", "--json", cwd=tmp_path))
    assert Path(built["path"], "manifest.json").is_file()
    page = json.loads(run(borrowed, "report", "net.edgeq", "-b", "host", "-o", "page.html", "--json", cwd=tmp_path))
    assert Path(tmp_path, page["page"]).read_text("utf-8").startswith("<!DOCTYPE html>")


def check_demo(edgeq: Path, folder: Path) -> None:
    """Run `edgeq demo` and look at what it says and leaves behind."""
    found = json.loads(run(edgeq, "demo", "-o", "out", "--json", cwd=folder))
    assert found["good"] is True
    assert [variant["name"] for variant in found["variants"]] == ["W8A8", "W4A4"]
    for variant in found["variants"]:
        assert variant["differing"] == 0
        assert variant["values"] > 100_000
        assert variant["accuracy_quantised"] == variant["accuracy_emulator"] == variant["accuracy_device"] > 0.9
        assert (folder / variant["page"]).is_file()
        assert (folder / variant["model"]).is_file()


@pytest.mark.heavy
def test_the_installed_program_runs_the_demo(borrowed: Path, tmp_path: Path) -> None:
    check_demo(borrowed, tmp_path)


@pytest.mark.heavy
def test_an_empty_environment_runs_the_demo(wheel: Path, tmp_path: Path) -> None:
    """Nothing lent: pip installs the wheel with everything that it depends on."""
    python = make_environment(tmp_path / "env")
    constraints = ROOT / "constraints.txt"
    run(python, "-m", "pip", "install", "-q", "-c", constraints, f"edgeq[demo] @ {wheel.as_uri()}", cwd=tmp_path)
    check_demo(python.parent / "edgeq", tmp_path)
