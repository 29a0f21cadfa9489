((comment) @comment
  (#match? @comment "TODO:? *[Ii]mplement\\b"))
