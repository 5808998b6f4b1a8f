"""The language of configuration: how its texts are read, with the line and column of what is wrong in them. Both sides speak it."""
