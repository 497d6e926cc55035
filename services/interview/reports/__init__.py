"""What is made of an interview: measures of delivery, coverage of key points, the report."""
