"""What an experiment file says: frozen, validated settings, and the numbers published for them."""
