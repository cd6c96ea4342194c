"""The contracts with the outside are generated from the code: schemas, AsyncAPI, OpenAPI, samples, gateway routes."""
