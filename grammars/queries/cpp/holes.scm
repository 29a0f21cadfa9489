(throw_statement
  (call_expression
    arguments: (argument_list . (string_literal) @_message))
  (#match? @_message "^.(([Mm]ethod |[Ff]unction )?[Nn]ot (yet )?implemented|[Uu]nimplemented|TODO|[Tt]odo.$)")) @hole

(comment) @comment
