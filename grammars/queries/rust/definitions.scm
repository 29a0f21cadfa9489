; An implementation goes by the name of its type.

(source_file (_ name: (_) @name) @definition)
(source_file (impl_item type: [(type_identifier) @name (generic_type type: (_) @name)])
  @definition)
