"""Push targets: the stream goes on to media servers by WHIP (RFC 9725); imported only when there is a target."""
