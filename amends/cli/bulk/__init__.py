"""Acts on many sagas: their progress, what became of them, and how to go on."""
