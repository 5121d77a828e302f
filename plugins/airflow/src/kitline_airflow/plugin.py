"""The hooks of kitline that this plugin implements; nothing is imported before it is used."""
