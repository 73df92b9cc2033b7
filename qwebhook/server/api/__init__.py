"""The REST API: one table of operations, from which the routes and the OpenAPI document are both made."""
