(call_expression
  function: (identifier) @_name
  arguments: (argument_list . [(interpreted_string_literal) (raw_string_literal)] @_message)
  (#eq? @_name "panic")
  (#match? @_message "^.([Nn]ot (yet )?implemented|[Uu]nimplemented|[Ii]mplement me|TODO|[Tt]odo.$)")) @hole

(comment) @comment
