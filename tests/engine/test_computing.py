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
from engine.editors import open_editor
from engine.loading import network_of


@pytest.fixture
def apart(monkeypatch):
    """A thread that computes with two helpers, for one test."""
    monkeypatch.setattr(computing, "_thread", None)
    monkeypatch.setattr(computing, "_desk", SimpleQueue())
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


def test_a_model_for_threads_is_loaded_and_run_on_that_thread(apart, monkeypatch, tmp_path):
    path = tmp_path / "qwen2.5-coder-tiny.gguf"
    tiny.write_gguf(path, tiny.reference(vocab_size=tiny.GGUF_VOCAB))
    seen = []

    def noted(weights):
        seen.append(where())
        model = network_of(weights)
        run = model.run
        monkeypatch.setattr(model, "run", lambda *args: seen.append(where()) or run(*args))
        seen.append(model)
        return model

    monkeypatch.setattr("engine.loading.network_of", noted)
    open_editor(str(path), lambda message, share: None)
    assert seen[0][0] != "compute" and computing._thread is None
    seen.clear()
    open_editor(str(path), lambda message, share: None, for_threads=True)
    model = seen.pop()
    model.encode([1, 2, 3], model.new_cache(8))
    assert seen == [("compute", 2)] * 2


def test_a_process_ends_while_it_computes():
    code = "import threading; from engine import computing; computing.start(); "
    code += "begun = threading.Event(); "
    code += "threading.Thread(target=computing.compute, args=[lambda: [begun.set(), "
    code += "threading.Event().wait()]], daemon=True).start(); begun.wait()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
