(throw_statement
  (new_expression
    arguments: (arguments . [(string) (template_string)] @_message))
  (#match? @_message "^.(([Mm]ethod |[Ff]unction )?[Nn]ot (yet )?implemented|[Uu]nimplemented|TODO|[Tt]odo.$)")) @hole

(comment) @comment
