"""Which requests mean the same stored answer."""
