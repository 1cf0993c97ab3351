"""Written forms and terms."""
