import pytest
import tiny
import torch
from office import Office


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(params=[1, 2, 3, 6, 12])
def threads(request):
    """Numbers of threads, by which torch parts some of its work."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def reference():
    """Seeded models of transformers, each built once; nothing may change them."""
    made = {}

    def get(architecture="qwen2", **options):
        key = (architecture, *sorted(options.items()))
        if key not in made:
            made[key] = tiny.reference(architecture, **options)
        return made[key]

    return get


@pytest.fixture
def close():
    def check(actual, expected, tolerance=1e-4):
        torch.testing.assert_close(actual, expected, atol=tolerance, rtol=0)

    return check


@pytest.fixture
def office():
    made = []

    def make(*args):
        made.append(Office(*args))
        return made[-1]

    yield make
    for one in made:
        one.scheduler.close()
