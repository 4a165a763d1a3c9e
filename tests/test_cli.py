"""The shell: exit codes, one JSON object on stdout, one clear line for what is wrong, and a quick start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeq.boards import load_board
from edgeq.cli import main
from edgeq.ir import Graph
from tests.verify.nets import minifloat_net, residual_net

#: for programs started in another folder than the checkout
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}


@pytest.fixture
def net(tmp_path: Path) -> Graph:
    """A network saved as net.edgeq in the current folder."""
    made = residual_net()
    made.save(tmp_path / "net.edgeq")
    return made


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(*args: object) -> int:
    return main([str(a) for a in args])


def answer(capsys: pytest.CaptureFixture[str], *args: object, status: int = 0) -> dict:  # type: ignore[type-arg]
    """Run with --json; stdout must be one JSON object and nothing else."""
    assert call(*args, "--json") == status
    return json.loads(capsys.readouterr().out)


def complaint(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    """Run what must fail with exit code 2 and one line on stderr, the same as JSON on stdout."""
    assert call(*args) == 2
    caught = capsys.readouterr()
    assert caught.out == ""
    assert caught.err.count("\n") == 1
    assert caught.err.startswith("edgeq: ")
    assert call(*args, "--json") == 2
    caught = capsys.readouterr()
    assert caught.err.count("\n") == 1
    assert json.loads(caught.out) == {"error": caught.err.removeprefix("edgeq: ").rstrip("\n")}
    return caught.err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--help") == 0
    shown = capsys.readouterr().out
    for command in ("boards", "inspect", "convert", "build", "run", "verify", "bench", "report", "demo"):
        assert f" {command} " in shown
        assert call(command, "--help") == 0
        assert "--json" in capsys.readouterr().out
    assert call() == 0


def test_help_starts_fast_and_imports_nothing_heavy() -> None:
    """No numpy, torch or jinja2 for `--help`, and little processor time: a busy machine must not matter."""
    code = (
        "import sys, time; from edgeq.cli import main; main(['--help']); "
        "bad = {'numpy', 'torch', 'brevitas', 'jinja2', 'unicorn'} & set(sys.modules); "
        "print(time.process_time(), file=sys.stderr); "
        "sys.exit(f'imported {bad}' if bad else 0)"
    )
    spent = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=ENVIRONMENT)
        spent.append(float(done.stderr))
    assert min(spent) < 0.4  # 0.13 s on the machine that this was written on


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from edgeq import __version__

    assert call("--version") == 0
    assert capsys.readouterr().out == f"edgeq {__version__}\n"


def test_boards(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "boards")["boards"]
    names = [b["name"] for b in found]
    assert names[:2] == ["host", "emulator"]
    assert "cortex-m4" in names
    assert call("boards") == 0
    assert "stm32f405" in capsys.readouterr().out


def test_inspect(capsys: pytest.CaptureFixture[str], net: Graph) -> None:
    found = answer(capsys, "inspect", "net.edgeq")
    assert found["inputs"] == [{"name": "image", "shape": [3, 8, 8], "format": "s8.5"}]
    assert found["macs"] == sum(row["macs"] for row in found["layers"]) == 64 * 6 * 27 + 64 * 6 * 9 + 5 * 6
    assert [row["layer"] for row in found["layers"]] == [n.source for n in net.nodes]
    assert found["problems"] == []
    assert call("inspect", "net.edgeq") == 0
    assert "block.depthwise" in capsys.readouterr().out


def test_front(capsys: pytest.CaptureFixture[str], net: Graph) -> None:
    found = answer(capsys, "front", "net.edgeq", "--board", "cortex-m4")
    points = found["points"]
    assert points[0]["how"] == "layer by layer"
    assert points[0]["extra_instructions"] == 0
    assert [p["arena"] for p in points] == sorted({p["arena"] for p in points}, reverse=True)
    assert [p["extra_instructions"] for p in points] == sorted(p["extra_instructions"] for p in points)
    assert any("by patches of" in p["how"] and p["extra_macs"] > 0 for p in points)
    least = points[-1]
    made = answer(capsys, "build", "net.edgeq", "-b", "host", "-o", "least", "--schedule", "patches")
    assert least["budget_ram"] > least["arena"] > 0
    assert made["arena"] < points[0]["arena"]
    assert call("front", "net.edgeq", "--board", "cortex-m4", "--plot", "front.svg") == 0
    assert "--budget-ram" in capsys.readouterr().out
    assert Path("front.svg").read_text("utf-8").count("<path") > 3
    assert call("front", "net.edgeq", "--board", "cortex-m4", "--plot", "front.nothing") == 2
    assert "cannot be written" in capsys.readouterr().err
    assert [path.name for path in Path().iterdir() if "front" in path.name] == ["front.svg"]
    assert call("front", "net.edgeq", "--board", "ulx3s-85f") == 2
    assert "runs no firmware" in capsys.readouterr().err


def test_run_floats_and_codes_on_the_emulator(capsys: pytest.CaptureFixture[str], net: Graph) -> None:
    x = np.random.default_rng(0).normal(size=(3, 3, 8, 8))
    np.save("x.npy", x)
    found = answer(capsys, "run", "net.edgeq", "--input", "x.npy", "-o", "y.npy")
    assert found["samples"] == 3
    assert found["outputs"][0]["shape"] == [3, 5]
    y = np.load("y.npy")
    assert y.dtype == np.float64
    assert np.array_equal(y, net.run(x))
    codes = net.values["image"].format.quantize(x)
    np.save("x.npy", codes.astype(np.int8))
    assert call("run", "net.edgeq", "--board", "emulator", "-i", "x.npy", "-o", "y.npy") == 0
    y = np.load("y.npy")
    assert y.dtype == np.int16
    assert np.array_equal(y, net.run(codes))
    assert np.array_equal(np.ldexp(y, -10), net.run(x))


def test_convert_reads_back_equal(capsys: pytest.CaptureFixture[str], net: Graph) -> None:
    from edgeq.frontends import load

    found = answer(capsys, "convert", "net.edgeq", "-o", "again.edgeq")
    assert found["bytes"] == Path("again.edgeq").stat().st_size
    assert load(Path("again.edgeq")) == net
    assert "must end in .edgeq" in complaint(capsys, "convert", "net.edgeq", "-o", "again.bin")


def test_verify_equal(capsys: pytest.CaptureFixture[str], net: Graph) -> None:
    found = answer(capsys, "verify", "net.edgeq", "--board", "emulator", "--against", "reference", "--random", 3)
    assert found["equal"] is True
    assert (found["samples"], found["tensors"], found["mismatches"]) == (3, 7, 0)
    assert found["first_divergence"] is None


def test_interpreters_run_tflite_files_only(net: Graph, capsys: pytest.CaptureFixture[str]) -> None:
    assert "runs .tflite files" in complaint(capsys, "verify", "net.edgeq", "--against", "tflite-micro")


def test_verify_says_1_and_names_the_layer(
    capsys: pytest.CaptureFixture[str], net: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeq.emulator import reference
    from edgeq.verify import TraceFunction, executors

    def broken(inputs):  # type: ignore[no-untyped-def]
        found = dict(reference(net, inputs))
        found["act"] = found["act"].copy()
        found["act"][0, 2, 3, 4] += 1
        return found

    monkeypatch.setattr(executors, "emulator", lambda graph: TraceFunction("emulator", broken))
    args = ("verify", "net.edgeq", "--board", "emulator", "--against", "reference", "--random", 2)
    found = answer(capsys, *args, status=1)
    assert found["equal"] is False
    assert found["first_divergence"]["layer"] == "act"
    assert found["first_divergence"]["index"] == [2, 3, 4]
    assert call(*args) == 1
    assert "layer act" in capsys.readouterr().out


def test_build_writes_a_project_and_prints_kernels(capsys: pytest.CaptureFixture[str], net: Graph) -> None:
    found = answer(capsys, "build", "net.edgeq", "--board", "host", "-o", "firmware")
    assert Path(found["path"]) == Path("firmware").absolute()
    assert Path(found["library"]).is_file()
    assert [step["source"] for step in found["steps"]] == [n.source for n in net.nodes]
    assert all(step["why"] for step in found["steps"])
    assert found["warnings"] == []
    assert call("build", "net.edgeq", "-b", "host", "-o", "firmware", "-O", "s") == 0
    shown = capsys.readouterr().out
    assert "conv_depthwise" in shown
    assert "portable" in shown
    assert f"arena {found['arena']:,} bytes" in shown


def test_the_table_has_costs_and_no_kernels_of_other_cores(capsys: pytest.CaptureFixture[str], net: Graph) -> None:
    from edgeq.errors import ToolError
    from edgeq.mcu.toolchains import find_toolchain

    try:
        find_toolchain(load_board("cortex-m4"), "gcc")
    except ToolError as error:
        pytest.skip(str(error))
    found = answer(capsys, "build", "net.edgeq", "--board", "cortex-m4", "-o", "firmware")
    assert any("not conv_scaled_mve: the core has no Helium" in step["why"] for step in found["steps"])
    assert call("build", "net.edgeq", "-b", "cortex-m4", "-o", "firmware") == 0
    shown = capsys.readouterr().out
    assert "mve" not in shown
    assert "Helium" not in shown
    assert shown.count("about") >= 2 * sum("dsp" in step["variant"] for step in found["steps"]) > 0
    readme = Path("firmware", "README.md").read_text("utf-8")
    assert "not conv" in readme
    assert "Helium" not in readme


def test_a_budget_that_does_not_hold_is_exit_code_1_and_names_layers(
    capsys: pytest.CaptureFixture[str], net: Graph
) -> None:
    for option in ("--budget-ram", "--budget-flash"):
        found = answer(capsys, "build", "net.edgeq", "-b", "host", "-o", "firmware", option, 100, status=1)
        assert "budget is 100 bytes" in found["error"]
        assert "stem" in found["error"]
    assert not Path("firmware").exists()
    assert call("build", "net.edgeq", "-b", "host", "-o", "firmware", "--budget-ram", 768, "--budget-flash", 600) == 0


def test_build_replaces_only_what_a_build_wrote(capsys: pytest.CaptureFixture[str], net: Graph) -> None:
    Path("mine").mkdir()
    Path("mine", "thesis.txt").write_text("years of work")
    assert "choose another" in complaint(capsys, "build", "net.edgeq", "-b", "host", "-o", "mine")
    assert Path("mine", "thesis.txt").read_text() == "years of work"
    assert "nothing is compiled" in complaint(capsys, "build", "net.edgeq", "-b", "emulator", "-o", "other")
    assert "-O" in complaint(capsys, "build", "net.edgeq", "-b", "host", "-o", "other", "-O", "9")


def test_run_and_verify_compiled_c(capsys: pytest.CaptureFixture[str], net: Graph) -> None:
    x = np.random.default_rng(1).normal(size=(4, 3, 8, 8))
    np.save("x.npy", x)
    assert call("run", "net.edgeq", "--board", "host", "-i", "x.npy", "-o", "y.npy") == 0
    assert np.array_equal(np.load("y.npy"), net.run(x))
    capsys.readouterr()
    found = answer(capsys, "verify", "net.edgeq", "--board", "host", "--input", "x.npy")
    assert (found["equal"], found["samples"], found["tensors"]) == (True, 4, 7)


def test_bench_of_the_host_has_sizes_and_no_counts(capsys: pytest.CaptureFixture[str], net: Graph) -> None:
    found = answer(capsys, "bench", "net.edgeq", "--board", "host")
    for key in ("instructions", "cycles_estimated", "macs", "flash", "ram", "layers"):
        assert key in found
    assert found["instructions"] is None
    assert found["macs"] == sum(row["macs"] for row in found["layers"])
    assert call("bench", "net.edgeq", "--board", "host") == 0
    assert "nothing counts instructions on host" in capsys.readouterr().out


def test_bench_of_an_emulated_board_counts(capsys: pytest.CaptureFixture[str], net: Graph) -> None:
    from edgeq.mcu.runners import available_runners
    from edgeq.mcu.toolchains import available_toolchains

    board = load_board("cortex-m4")
    if not (available_runners(board) and available_toolchains(board)):
        pytest.skip("no compiler or emulator for cortex-m4 here")
    found = answer(capsys, "bench", "net.edgeq", "--board", "cortex-m4")
    assert found["instructions"] > found["macs"]
    # The layers add up to the whole, but for the hooks that tell them apart.
    assert sum(row["instructions"] for row in found["layers"]) == pytest.approx(found["instructions"], rel=0.02)
    assert call("bench", "net.edgeq", "--board", "cortex-m4") == 0
    assert f"{found['instructions']:,} instructions" in capsys.readouterr().out


def test_report_writes_a_page_with_the_accuracy(capsys: pytest.CaptureFixture[str], net: Graph) -> None:
    x = np.random.default_rng(2).normal(size=(10, 3, 8, 8))
    np.save("x.npy", x)
    labels = net.run(x).argmax(axis=1)
    labels[:2] = (labels[:2] + 1) % 5
    np.save("labels.npy", labels)
    found = answer(capsys, "report", "net.edgeq", "-b", "host", "-i", "x.npy", "--labels", "labels.npy", "-o", "r.html")
    assert found["equal"] is True
    assert found["accuracy"] == [{"execution": "emulator", "accuracy": 0.8}]
    assert "80.00 %" in Path("r.html").read_text("utf-8")
    np.save("labels.npy", labels[:3])
    bad = ("report", "net.edgeq", "-b", "host", "-i", "x.npy", "--labels", "labels.npy")
    assert "give 10 integers" in complaint(capsys, *bad)
    assert "needs the --input" in complaint(capsys, "report", "net.edgeq", "-b", "host", "--labels", "labels.npy")


def test_wrong_use_gets_one_line(capsys: pytest.CaptureFixture[str], net: Graph) -> None:
    assert "No such command 'nope'" in complaint(capsys, "nope")
    assert "MODEL" in complaint(capsys, "inspect")
    assert "No such option" in complaint(capsys, "inspect", "net.edgeq", "--bord", "host")
    assert "did you mean 'cortex-m4'" in complaint(capsys, "inspect", "net.edgeq", "--board", "cortex-m44")
    assert "not both" in complaint(capsys, "verify", "net.edgeq", "--input", "x.npy", "--random", 3)
    assert "valid integer" in complaint(capsys, "verify", "net.edgeq", "--random", "many")
    assert "give 1 or more" in complaint(capsys, "verify", "net.edgeq", "--board", "emulator", "--random", 0)


def test_bad_models_get_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "none.edgeq" in complaint(capsys, "inspect", "none.edgeq")
    (tmp_path / "bad.edgeq").write_bytes(b"hello")
    assert "bad.edgeq" in complaint(capsys, "inspect", "bad.edgeq")
    (tmp_path / "net.xyz").write_bytes(b"hello")
    assert "net.xyz" in complaint(capsys, "inspect", "net.xyz")


def test_bad_inputs_get_one_line(capsys: pytest.CaptureFixture[str], net: Graph) -> None:
    run = ("run", "net.edgeq", "--board", "emulator", "-i", "x.npy", "-o", "y.npy")
    bad = {
        r"cannot be read": None,
        "expected (batch, 3, 8, 8)": np.zeros((2, 8, 8, 3)),
        "the batch is empty": np.zeros((0, 3, 8, 8)),
        "NaN": np.full((1, 3, 8, 8), np.nan),
        "outside -128..127": np.full((1, 3, 8, 8), 300),
        "holds object": np.array([{}], dtype=object),
        "holds <U1": np.array(["a"]),
    }
    for text, array in bad.items():
        if array is not None:
            np.save("x.npy", array, allow_pickle=True)
        assert text in complaint(capsys, *run)
        assert not Path("y.npy").exists()
    np.save("x.npy", np.zeros((1, 3, 8, 8)))
    assert "takes 1 inputs" in complaint(capsys, *run, "-i", "x.npy")
    assert "has 1 outputs" in complaint(capsys, *run, "-o", "z.npy")
    assert "does its folder exist" in complaint(capsys, *run[:-1], "none/y.npy")


def test_unexpected_errors_are_one_line_unless_debug(
    capsys: pytest.CaptureFixture[str], net: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*args: object) -> None:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr("edgeq.report.inspection.layers", crash)
    assert "unexpected ZeroDivisionError: two lines (run again with --debug" in complaint(
        capsys, "inspect", "net.edgeq"
    )
    with pytest.raises(ZeroDivisionError):
        call("inspect", "net.edgeq", "--debug")


def test_a_reader_that_leaves_is_no_error(net: Graph) -> None:
    program = [sys.executable, "-m", "edgeq", "boards"]
    first = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
    assert first.stdout is not None
    assert first.stderr is not None
    first.stdout.close()
    assert first.stderr.read() == b""
    first.stderr.close()
    first.wait()


def test_minifloat_models_run_as_codes(capsys: pytest.CaptureFixture[str]) -> None:
    made = minifloat_net()
    made.save("mini.edgeq")
    codes = np.arange(12, dtype=np.uint8).reshape(2, 6)
    np.save("x.npy", codes)
    assert answer(capsys, "run", "mini.edgeq", "-i", "x.npy", "-o", "y.npy")["samples"] == 2
    assert np.array_equal(np.load("y.npy"), made.run(codes))
