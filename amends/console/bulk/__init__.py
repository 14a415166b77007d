"""Acts on many sagas, which a thread of this process carries out while its page tells how far it is."""
