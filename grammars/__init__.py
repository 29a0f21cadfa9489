"""Text, spans, syntax trees and verdicts. Standard library and tree_sitter only; never torch."""
