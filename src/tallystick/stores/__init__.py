"""The stores: each carries out the ports on one kind of storage, and decides nothing."""
