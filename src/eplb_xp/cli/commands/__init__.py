"""The commands: loads -> plans -> measured -> table or JSON, files, picture."""
