"""The one Envoy configuration: the listeners' routes, the clusters, and how it is started.

settings.EnvoySettings      ports, endpoints, origins, limits, from VIVA_ENVOY_…
contracts                   what the generated contracts say: services, methods, JSON paths
mesh_listener               native gRPC to every service, for programs on this side
edge_listener               gRPC-Web and JSON to the public services, for browsers
endpoints                   where the replicas are, in files that Envoy watches
clusters                    health checks, ejection, circuit breakers, failover
admin                       drains for its owner, statistics for who reaches the port
bootstrap                   all of it as one configuration, parsed strictly and written
"""
