"""A process that forks for each stage: what `python` of its own would have done, it does, too."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

SERVER = "import sys; from narrows import warm; warm.main(*sys.argv[1:], libraries=('decimal',))"
pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="no Linux")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pipelines").mkdir()
    return tmp_path


def start(folder: Path, command: str, script: str) -> subprocess.Popen[str]:
    """A shell command, in which `python pipelines/stage.py` is to run the script."""
    (folder / "pipelines/stage.py").write_text(script)
    words = [sys.executable, "-c", SERVER, "sh", "-c", command]
    pipe = subprocess.PIPE
    files = {"stdin": pipe, "stdout": pipe, "stderr": pipe}
    return subprocess.Popen(words, cwd=folder, text=True, start_new_session=True, **files)


def run(folder: Path, command: str, script: str, told: str = "") -> tuple[int, str, str]:
    with start(folder, command, script) as server:
        out, err = server.communicate(told, timeout=60)
    return server.returncode, out, err


WARM = "import sys; warm = 'decimal' in sys.modules\n"


def test_a_stage_is_a_fork_with_its_own_words_folder_files_and_environment(folder: Path) -> None:
    (folder / "pipelines/beside.py").write_text("told = 'imported'")
    script = WARM + (
        "import os, beside\n"
        "print(warm, __name__, sys.argv, os.environ['WORD'], input(), beside.told, os.getcwd())\n"
        "print('told', file=sys.stderr)\n"
    )
    command = "cd pipelines && cd .. && WORD=set python pipelines/stage.py a 'b c' 2>&1"
    code, out, err = run(folder, command, script, "typed")
    words = "['pipelines/stage.py', 'a', 'b c']"
    assert out == f"True __main__ {words} set typed imported {folder}\ntold\n"
    assert (code, err) == (0, "")


def test_other_programs_are_left_to_python(folder: Path) -> None:
    assert (
        run(folder, "python -c 'import sys; print(\"decimal\" in sys.modules)'", "")[1] == "False\n"
    )


@pytest.mark.parametrize(
    ("script", "code", "err"),
    [
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit('narrows: a sentence')", 1, "narrows: a sentence\n"),
        ("import os; os._exit(7)", 7, ""),
    ],
)
def test_exit_codes_are_passed_on(folder: Path, script: str, code: int, err: str) -> None:
    assert run(folder, "python pipelines/stage.py", WARM + script) == (code, "", err)


def test_an_error_is_told_and_a_death_by_a_signal_is_one(folder: Path) -> None:
    code, _, err = run(folder, "python pipelines/stage.py", WARM + "1 / 0")
    assert code == 1
    assert "ZeroDivisionError" in err
    script = WARM + "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert run(folder, "python pipelines/stage.py; echo $?", script)[1] == "137\n"


SLOW = WARM + (
    "import os, signal, time\n"
    "def ended(number, _):\n"
    "    print('got', signal.Signals(number).name, flush=True)\n"
    "    sys.exit(5)\n"
    "signal.signal(signal.SIGTERM, ended)\n"
    "print(warm, os.getpid(), flush=True)\n"
    "time.sleep(60)\n"
)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, "5"), (signal.SIGINT, "130")])
def test_signals_are_passed_on(folder: Path, sent: signal.Signals, code: str) -> None:
    """Python that a Ctrl-C ends without being caught dies of it: 128 + 2."""
    with start(folder, "python pipelines/stage.py; echo code $?", SLOW) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("True")
        asking(server).send_signal(sent)
        out, _ = server.communicate(timeout=30)
    assert f"code {code}\n" in out
    assert ("got SIGTERM" in out) == (sent == signal.SIGTERM)


def test_ctrl_c_ends_stages_also_where_the_command_is_gone_first(folder: Path) -> None:
    """As xargs is, while DVC waits for its stage."""
    script = WARM + (
        "import time\n"
        "try:\n    print(warm, flush=True)\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    time.sleep(1)\n    print('stopped', flush=True)\n"
    )
    dies = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL); time.sleep(60)"
    command = f"python pipelines/stage.py & exec python -c '{dies}'"
    with start(folder, command, script) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "True\n"
        time.sleep(2)  # until the other Python has started
        os.killpg(server.pid, signal.SIGINT)
        out, _ = server.communicate(timeout=30)
    assert out == "stopped\n"
    assert server.returncode == -signal.SIGINT % 256


def test_a_stage_ends_with_who_asked_for_it(folder: Path) -> None:
    with start(folder, "python pipelines/stage.py; sleep 2; echo on", SLOW) as server:
        assert server.stdout is not None
        stage = psutil.Process(int(server.stdout.readline().split()[1]))
        asking(server).kill()
        gone, _ = psutil.wait_procs([stage], timeout=30)
        assert gone
        out, _ = server.communicate(timeout=30)
    assert "on" in out


def test_stages_run_side_by_side(folder: Path) -> None:
    script = WARM + "import time; time.sleep(1.5); print(warm)"
    began = time.monotonic()
    command = "for i in 1 2 3; do python pipelines/stage.py & done; wait"
    assert run(folder, command, script)[1] == "True\n" * 3
    assert time.monotonic() - began < 4.4, "one after the other they sleep for 4.5 s"


def asking(server: subprocess.Popen[str]) -> psutil.Process:
    """The process that a shell has started as `python`."""
    shell, *_ = psutil.Process(server.pid).children()
    while not (found := shell.children()):
        time.sleep(0.05)
    return found[0]
