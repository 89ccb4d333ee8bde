"""A classifier of emoji scenes, which measures whether pictures follow their prompts."""
