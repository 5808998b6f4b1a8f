"""Which instance a call goes to: route rules, dark launch, zones, load balancing."""
