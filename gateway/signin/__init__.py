"""How people prove who they are: password and one-time codes, or their unit's own provider."""
