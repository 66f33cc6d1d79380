"""Other people's frameworks and configuration, on our layers. Nobody inside the house imports this."""
