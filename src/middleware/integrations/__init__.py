"""Other people's configuration, translated into constructor calls. Nobody inside the house imports this."""
