"""`viva bench bargein`: what the interviewer does about sounds over what they say."""
