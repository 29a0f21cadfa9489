"""The language server: documents, requests, edits. It imports no torch and no engine internals."""
