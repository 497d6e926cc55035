"""Other people's pipelines to compare with, each run in an environment of its own."""
