"""Requirements of SMI Traffic Specs (specs.smi-spec.io), judged through TrafficTargets that refer to them."""
