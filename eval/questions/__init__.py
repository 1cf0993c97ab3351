"""Ask a file of questions as people would, for a person to judge the answers."""
