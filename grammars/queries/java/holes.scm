; Immutable collections refuse an operation in the same way, but seldom as all a method does
; with nothing but this to say: the user sees what is offered before it is applied.

(throw_statement
  (object_creation_expression
    type: [(type_identifier) (scoped_type_identifier)] @_type)
  (#match? @_type "\\bUnsupportedOperationException$")) @stub

[(line_comment) (block_comment)] @comment
