"""The JSON edge as an OpenAPI 3.1 document, generated from the contracts.

comments    what the contracts say in words, by the element it stands before
schemas     messages and enums as JSON Schema, in protobuf's JSON mapping, with the rules of fields
document    paths, parameters, errors
"""
