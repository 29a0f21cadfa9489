import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import pytest
import tiny
import torch

from engine import computing
from engine.computing import compute, computed
from engine.config import Precision
from engine.editors import open_editor
from engine.loading import network_of


@pytest.fixture
def apart(monkeypatch):
    """A thread that computes with two helpers, for one test."""
    monkeypatch.setattr(computing, "_thread", None)
    monkeypatch.setattr(computing, "_desk", SimpleQueue())
    monkeypatch.setattr(computing, "_yields", False)
    monkeypatch.setenv("GOMP_SPINCOUNT", computing.LOOKS)  # not for what other tests start
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def started(apart):
    computing.start()


def where():
    return threading.current_thread().name, torch.get_num_threads()


def test_without_a_thread_of_its_own_the_caller_computes():
    assert computing._thread is None
    assert compute(threading.current_thread) is threading.current_thread()


def test_one_thread_computes_whoever_asks_and_the_others_get_no_helpers(started):
    computing.start()  # again: nothing changes
    with ThreadPoolExecutor(3) as askers:
        found = {asked.result() for asked in [askers.submit(compute, where) for _ in range(9)]}
        assert found == {("compute", 2)}
        assert {askers.submit(torch.get_num_threads).result() for _ in range(9)} == {1}


def test_what_is_computed_may_compute(started):
    @computed
    def double(x: int, *, times: int = 2) -> int:
        return compute(lambda: x * times)

    assert compute(lambda: double(double(3), times=5)) == 30
    assert double.__name__ == "double"


def test_an_error_reaches_who_asked(started):
    with pytest.raises(MemoryError, match="no room"):
        compute(lambda: (_ for _ in ()).throw(MemoryError("no room")))
    assert compute(lambda: 1) == 1


@pytest.fixture
def free(monkeypatch):
    """How many processors others leave."""
    number = [2]
    monkeypatch.setattr(computing.Processors, "free", lambda self: number[0])
    return number


def test_helpers_are_as_many_as_free_processors_if_the_model_allows_it(free, started):
    with ThreadPoolExecutor(1) as before, ThreadPoolExecutor(1) as later:
        assert before.submit(torch.get_num_threads).result() == 1
        free[0] = 3
        assert compute(torch.get_num_threads) == 2
        computing.yield_processors(True)
        assert compute(torch.get_num_threads) == 3
        assert later.submit(torch.get_num_threads).result() == 1
        assert before.submit(torch.get_num_threads).result() == torch.get_num_threads() == 1
        free[0] = 1
        assert compute(torch.get_num_threads) == 1
        computing.yield_processors(False)
        assert compute(torch.get_num_threads) == 2


@pytest.fixture
def tiny_model(tmp_path):
    path = tmp_path / "qwen2.5-coder-tiny.gguf"
    tiny.write_gguf(path, tiny.reference(vocab_size=tiny.GGUF_VOCAB))
    return str(path)


def silent(message, share):
    pass


def test_a_model_is_loaded_and_run_on_that_thread(apart, free, monkeypatch, tiny_model):
    seen = []

    def noted(weights):
        seen.append(where())
        model = network_of(weights)
        run = model.run
        monkeypatch.setattr(model, "run", lambda *args: seen.append(where()) or run(*args))
        seen.append(model)
        return model

    monkeypatch.setattr("engine.loading.network_of", noted)
    open_editor(tiny_model, silent)
    model = seen.pop()
    model.encode([1, 2, 3], model.new_cache(8))
    assert seen == [("compute", 2)] * 2


@pytest.mark.parametrize("precision", Precision)
def test_a_model_leaves_processors_to_others_if_its_bits_do_not_change(
    apart, free, tiny_model, precision
):
    open_editor(tiny_model, silent, precision=precision)
    free[0] = 1
    assert compute(torch.get_num_threads) == (1 if precision is Precision.INT8 else 2)


def test_a_helper_that_waits_falls_asleep_soon_but_as_the_user_says():
    code = "import os, sys; from engine import computing; assert 'torch' not in sys.modules; "
    code += "computing.start(); print(os.environ.get('GOMP_SPINCOUNT'))"

    def looks(**own):
        clean = {name: x for name, x in os.environ.items() if "OMP_" not in name}
        command = [sys.executable, "-c", code]
        ran = subprocess.run(command, env=clean | own, check=True, timeout=60, capture_output=True)
        return ran.stdout.decode().strip()

    assert looks() == computing.LOOKS
    assert looks(GOMP_SPINCOUNT="7") == "7"
    assert looks(OMP_WAIT_POLICY="passive") == "None"


def test_a_failure_to_take_other_helpers_is_one_request_s_error(free, started):
    computing.yield_processors(True)
    free[0] = 0  # torch refuses that
    with pytest.raises(RuntimeError):
        compute(lambda: 1)
    free[0] = 1
    assert compute(lambda: 1) == 1


def test_a_process_ends_while_it_computes():
    code = "import threading; from engine import computing; computing.start(); "
    code += "begun = threading.Event(); "
    code += "threading.Thread(target=computing.compute, args=[lambda: [begun.set(), "
    code += "threading.Event().wait()]], daemon=True).start(); begun.wait()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
