"""Plans that follow the load: few replicas move, each step aimed at a load that no GPU should have more than."""
