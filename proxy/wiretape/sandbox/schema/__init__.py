"""Values made from JSON Schemas: the schemas come from clients, so every effort is bounded."""
