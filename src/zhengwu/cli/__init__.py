"""The `zhengwu` command. May import everything; holds no logic."""
