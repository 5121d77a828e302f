"""The verbs, one module each: the only layer that combines stores, kits and plugins."""
