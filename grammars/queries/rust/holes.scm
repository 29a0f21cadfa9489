((macro_invocation
  macro: [(identifier) (scoped_identifier)] @_name) @hole
  (#match? @_name "^(std::|core::)?(todo|unimplemented)$"))

((line_comment) @comment
  (#match? @comment "TODO:? *[Ii]mplement\\b"))

((block_comment) @comment
  (#match? @comment "TODO:? *[Ii]mplement\\b"))
