"""Stand-ins for services that speak the real protocol on loopback."""
