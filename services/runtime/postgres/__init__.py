"""PostgreSQL for every server that keeps something: connections, migrations, owners of rows."""
