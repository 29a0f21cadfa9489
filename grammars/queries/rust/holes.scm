((macro_invocation
  macro: [(identifier) (scoped_identifier)] @_name) @hole
  (#match? @_name "^(std::|core::)?(todo|unimplemented)$"))

[(line_comment) (block_comment)] @comment
