(import_declaration (scoped_identifier) @module) @import
