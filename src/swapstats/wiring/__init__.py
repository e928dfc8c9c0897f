"""The only place that names both a role and an adapter: what is made of what."""
