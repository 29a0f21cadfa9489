; Also TypeScript's: it has more kinds of declarations, all with a name.

(program (_ name: (_) @name) @definition)
(program (export_statement declaration: (_ name: (_) @name)) @definition)
(program (_ (variable_declarator name: (identifier) @name)) @definition)
(program (export_statement declaration: (_ (variable_declarator name: (identifier) @name)))
  @definition)
