(program (_ name: (_) @name) @definition)
