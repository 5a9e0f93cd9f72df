"""What tests share: libraries, loads, plans, and the references that they compare with."""
