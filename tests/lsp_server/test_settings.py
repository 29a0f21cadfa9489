import pytest

from engine.protocol import Effort
from lsp_server.settings import Settings, read_settings


@pytest.mark.parametrize("options", [None, {}, {"model": None}])
def test_without_options_all_is_default(options):
    assert read_settings(options, Settings()) == (Settings(), [])


def test_good_options_are_taken():
    options = {"model": "tiny", "effort": "quick"}
    assert read_settings(options, Settings()) == (
        Settings(model="tiny", effort=Effort.QUICK),
        [],
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"effort": "much"}, "`effort` is 'much'"),
        ({"effort": ["quick"]}, "`effort` is"),
        ({"model": 3}, "`model` is 3"),
        ({"model": " "}, "`model` is ' '"),
        ({"colour": "red"}, "no setting `colour`"),
        (["quick"], "not an object"),
    ],
)
def test_a_bad_option_gives_a_message_and_the_default(options, said):
    settings, problems = read_settings(options, Settings())
    assert settings == Settings()
    assert len(problems) == 1
    assert said in problems[0]
