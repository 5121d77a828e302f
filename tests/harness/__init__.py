"""What tests across distributions share: running programs, starting registries, making trees."""
