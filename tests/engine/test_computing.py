import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from engine import computing
from engine.computing import compute, computed


@pytest.fixture
def started(monkeypatch):
    monkeypatch.setattr(computing, "_pool", None)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    computing.start()
    yield
    computing._pool.shutdown()
    torch.set_num_threads(before)


def where():
    return threading.current_thread().name, torch.get_num_threads()


def test_without_a_thread_of_its_own_the_caller_computes():
    assert computing._pool is None
    assert compute(threading.current_thread) is threading.current_thread()


def test_one_thread_computes_whoever_asks_and_the_others_get_no_helpers(started):
    computing.start()  # again: nothing changes
    with ThreadPoolExecutor(3) as askers:
        found = {asked.result() for asked in [askers.submit(compute, where) for _ in range(9)]}
        assert found == {("compute_0", 2)}
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
