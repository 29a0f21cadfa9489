BROKEN = "def f(:\n    return 1\n\n\nx = 1\n"


def test_what_does_not_mend_is_refused(diffill, sample):
    path = sample(BROKEN)
    done = diffill("repair", path, "--write")
    assert (done.code, path.read_text()) == (4, BROKEN)  # shouting mends nothing
    assert "a.py:1: refused: the syntax error is still there" in done.err


def test_what_mends_is_kept(diffill, sample):
    path = sample("ok = 1\n)\n")
    done = diffill("repair", path, "--json", engine="mends")
    [span] = done.json["files"][0]["spans"]
    assert (done.code, span["status"], span["what"]) == (0, "edited", "`)`: unmatched ')'")
    assert diffill("repair", path, "--write", engine="mends").code == 0
    assert path.read_text() == "pass\n"


def test_good_files_need_no_engine(diffill, sample):
    sample("ok = 1\n")
    done = diffill("repair", ".", engine="dies")
    assert (done.code, "nothing to edit" in done.err) == (0, True)
