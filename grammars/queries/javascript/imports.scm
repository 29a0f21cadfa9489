(import_statement source: (string (string_fragment) @module)) @import
(export_statement source: (string (string_fragment) @module)) @import
(import_specifier name: (identifier) @name)

((call_expression
  function: (identifier) @_function
  arguments: (arguments . (string (string_fragment) @module))) @import
  (#eq? @_function "require"))
