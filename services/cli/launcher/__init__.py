"""The whole mesh on one machine: processes, their health, their logs, their end."""
