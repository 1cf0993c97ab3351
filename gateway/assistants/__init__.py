"""能力共享: departments register assistants and share them; callers ask for them as models."""
