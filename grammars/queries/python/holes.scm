; A stub counts only where it is all a function does; a hole counts in any function.

(pass_statement) @stub

(raise_statement
  [(identifier) (call function: (identifier))] @_error
  (#match? @_error "^NotImplementedError\\b")) @stub

(return_statement
  [(identifier) (call function: (identifier))] @_error
  (#match? @_error "^NotImplementedError\\b")) @stub

(expression_statement (ellipsis)) @hole

(return_statement (ellipsis)) @hole

(comment) @comment

; In here they say that there is nothing to do.

(except_clause) @closed

(decorated_definition
  (decorator) @_decorator
  definition: (function_definition) @closed
  (#match? @_decorator "\\b(abstractmethod|abstractproperty|overload)\\b"))

(class_definition
  superclasses: (argument_list) @_bases
  (#match? @_bases "\\bProtocol\\b")) @closed
