"""What every gRPC server of the mesh shares. It knows no domain."""
