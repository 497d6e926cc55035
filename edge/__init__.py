"""What stands between the services and the outside: Envoy, and what it needs beside it."""
