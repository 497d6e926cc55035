"""The one Envoy configuration: the listeners' routes, the clusters, and how it is started.

settings.EnvoySettings      ports, endpoints, origins, limits, from VIVA_ENVOY_…
contracts                   what the generated contracts say: services, methods, JSON paths
mesh_listener               native gRPC to every service, for programs on this side
edge_listener               gRPC-Web and JSON to the public services, for browsers
clusters                    endpoints, health checks, ejection, circuit breakers, failover
bootstrap                   all of it as one configuration, parsed strictly and written
"""
