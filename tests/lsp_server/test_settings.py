import pytest

from engine.protocol import Effort
from lsp_server.settings import DEBOUNCE_MS, Settings, debounce_of, read_settings


@pytest.mark.parametrize("options", [None, {}, {"model": None}])
def test_without_options_all_is_default(options):
    assert read_settings(options, Settings()) == (Settings(), [])


def test_good_options_are_taken():
    options = {"model": "tiny", "effort": "quick", "debounce_ms": 0}
    assert read_settings(options, Settings()) == (
        Settings(model="tiny", effort=Effort.QUICK, debounce_ms=0),
        [],
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"effort": "much"}, "`effort` is 'much'"),
        ({"effort": ["quick"]}, "`effort` is"),
        ({"model": 3}, "`model` is 3"),
        ({"model": " "}, "`model` is ' '"),
        ({"debounce_ms": -1}, "`debounce_ms` is -1"),
        ({"debounce_ms": True}, "`debounce_ms` is True"),
        ({"debounce_ms": 9999}, "`debounce_ms` is 9999"),
        ({"colour": "red"}, "no setting `colour`"),
        (["quick"], "not an object"),
    ],
)
def test_a_bad_option_gives_a_message_and_the_default(options, said):
    settings, problems = read_settings(options, Settings())
    assert settings == Settings()
    assert len(problems) == 1
    assert said in problems[0]


@pytest.mark.parametrize(
    ("set_to", "client", "waits_ms"),
    [
        (None, "Neovim", 0),
        (None, "Visual Studio Code - Insiders", 0),
        (None, "helix", DEBOUNCE_MS),
        (None, "", DEBOUNCE_MS),
        (300, "Neovim", 300),
        (0, "helix", 0),
    ],
)
def test_who_waits_for_a_pause_in_the_typing(set_to, client, waits_ms):
    assert debounce_of(Settings(debounce_ms=set_to), client) == waits_ms
