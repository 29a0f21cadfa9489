"""The extension's settings are the server's, and its version is the package's."""

import json

from raw_client import ROOT

from engine import __version__

EXTENSION = json.loads((ROOT / "editor_clients/vscode/package.json").read_text("utf-8"))
SCHEMA = json.loads((ROOT / "lsp_server/settings.schema.json").read_text("utf-8"))
FACTS = ("type", "enum", "default", "items", "minimum", "maximum")


def facts(properties):
    return {
        name: {fact: about[fact] for fact in FACTS if fact in about}
        for name, about in properties.items()
    }


def test_the_settings_are_those_of_the_server():
    properties = EXTENSION["contributes"]["configuration"]["properties"]
    settings = {name.removeprefix("diffill."): about for name, about in properties.items()}
    del settings["path"]
    assert facts(settings) == facts(SCHEMA["properties"])


def test_a_workspace_that_is_not_trusted_has_no_say_in_what_may_harm():
    restricted = EXTENSION["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]
    assert set(restricted) == {"diffill.path", "diffill.model", "diffill.confirm_edits"}


def test_the_version_is_that_of_the_package():
    assert EXTENSION["version"] == __version__
