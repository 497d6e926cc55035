"""Where accounts are kept: the schema `account` of the interviews' database."""
