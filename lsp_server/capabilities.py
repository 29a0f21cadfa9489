"""What the client can do, read once into booleans."""

from __future__ import annotations

from dataclasses import dataclass

from lsprotocol import types as lsp


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The client's abilities that change what we send; none of them by default."""

    action_literals: bool = False
    lazy_edits: bool = False  # it resolves `edit` and hands `data` back
    disabled_actions: bool = False
    generated_tag: bool = False
    document_changes: bool = False
    confirms_edits: bool = False  # it asks its user about annotated changes
    apply_edit: bool = False
    edit_metadata: bool = False
    progress: bool = False  # the server may create progress of its own
    instruction_prompt: bool = False  # ours: the client asks the user for an instruction
    frames: bool = False  # ours: the client shows denoising as it happens
    off: bool = False  # ours: the client shows which documents are left alone

    @classmethod
    def of(cls, client: lsp.ClientCapabilities) -> Capabilities:
        """Read what the client announced.

        Three are this project's own. A client that announces
        `experimental.diffill.instructionPrompt` adds the user's instruction to a `diffill.rewrite`
        command before sending it; one with `frames` or `off` gets the notifications of
        `lsp_server.live`.
        """
        action = client.text_document and client.text_document.code_action
        action = action or lsp.CodeActionClientCapabilities()
        workspace = client.workspace or lsp.WorkspaceClientCapabilities()
        edit = workspace.workspace_edit or lsp.WorkspaceEditClientCapabilities()
        resolved = action.resolve_support.properties if action.resolve_support else ()
        tags = action.tag_support.value_set if action.tag_support else ()
        return cls(
            action_literals=action.code_action_literal_support is not None,
            lazy_edits="edit" in resolved and bool(action.data_support),
            disabled_actions=bool(action.disabled_support),
            generated_tag=lsp.CodeActionTag.LlmGenerated in tags,
            document_changes=bool(edit.document_changes),
            confirms_edits=bool(edit.document_changes) and bool(edit.change_annotation_support),
            apply_edit=bool(workspace.apply_edit),
            edit_metadata=bool(edit.metadata_support),
            progress=bool(client.window and client.window.work_done_progress),
            instruction_prompt=_announces(client.experimental, "instructionPrompt"),
            frames=_announces(client.experimental, "frames"),
            off=_announces(client.experimental, "off"),
        )


def _announces(experimental: object, name: str) -> bool:
    match experimental:
        case {"diffill": {**ours}}:
            return ours.get(name) is True
        case _:
            return False
