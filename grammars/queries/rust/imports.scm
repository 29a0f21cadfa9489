(mod_item name: (identifier) @module !body) @import
(use_declaration argument: (_) @module) @import
