; A method goes by the name of its receiver's type.

(source_file (function_declaration name: (_) @name) @definition)
(source_file (method_declaration receiver: (parameter_list (parameter_declaration
  type: [(type_identifier) @name (pointer_type (type_identifier) @name)]))) @definition)
(source_file (type_declaration [(type_spec name: (_) @name) (type_alias name: (_) @name)])
  @definition)
(source_file (const_declaration (const_spec name: (identifier) @name)) @definition)
(source_file (var_declaration [
  (var_spec name: (identifier) @name)
  (var_spec_list (var_spec name: (identifier) @name))]) @definition)
