"""Who may call what at the edge: Envoy's external authorisation, answered by us.

policy      what the contracts say of each method, and a verified caller: a decision, without I/O
bodies      the names in a JSON body, and those that its request has
servicer    Envoy's question and our answer, `envoy.service.auth.v3.Authorization`
"""
