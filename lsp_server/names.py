"""The names that clients know: commands, and kinds of code actions."""

FILL = "diffill.fill"
FILL_ALL = "diffill.fillAll"
FILL_OPEN = "diffill.fillOpen"
REWRITE = "diffill.rewrite"
REPAIR = "diffill.repair"
REROLL = "diffill.reroll"
CONTEXT = "diffill.context"
ACCEPTED = "diffill.accepted"
COMMANDS = (FILL, FILL_ALL, FILL_OPEN, REWRITE, REPAIR, REROLL, CONTEXT, ACCEPTED)

KIND = "refactor.rewrite.diffill"
REROLL_KIND = f"{KIND}.reroll"
REPAIR_KIND = "quickfix.diffill"
